/** The attributes of an event against the JSON Schema (2020-12) that its type declares. */
import type { Violation } from './envelope.ts';
import type { EventType } from './event-type.ts';
import type { JsonObject } from './json.ts';
import { createSchemaCheck, createSchemaValidator, type SchemaCheck } from './json-schema.ts';

export type { Violation };

export type AttributesValidator = (attributes: JsonObject) => Violation[];

/** Throws where the schema is invalid: the check below has said why before. */
export function createAttributesValidator(eventType: EventType): AttributesValidator {
  return createSchemaValidator(eventType.attributes_schema, '/attributes');
}

/** As for any schema; and it describes an object. */
export type AttributesSchemaCheck = SchemaCheck;

/** Made once for many schemas. */
export function createAttributesSchemaCheck(): AttributesSchemaCheck {
  const check = createSchemaCheck();
  return (schema) => {
    if (schema.type !== undefined && schema.type !== 'object') {
      return [{ path: ['type'], message: 'expected `type: object`, since attributes are an object' }];
    }
    return check(schema);
  };
}
