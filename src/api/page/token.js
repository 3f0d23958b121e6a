/** The form that asks for the token. What is typed goes to `useToken` and is gone from the field. */
import { say } from './element.js';

/** `useToken(text)` throws where it cannot be one. `onToken()`: there is one to try. */
export function createTokenForm({ useToken, onToken }) {
  const form = document.getElementById('token-form');
  const field = document.getElementById('token');
  const fault = document.getElementById('token-fault');

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const text = field.value.trim();
    field.value = '';
    // So that the same fault is told anew.
    say(fault, '');
    try {
      useToken(text);
    } catch (error) {
      say(fault, error.message);
      return;
    }
    onToken();
  });

  return {
    /** Takes the focus only where nobody is at something else. */
    show() {
      if (!form.hidden) return;
      form.hidden = false;
      if (document.activeElement === document.body) field.focus();
    },
    tell: (text) => say(fault, text),
    hide() {
      if (form.contains(document.activeElement)) document.getElementById('attention').focus();
      form.hidden = true;
      say(fault, '');
    },
  };
}
