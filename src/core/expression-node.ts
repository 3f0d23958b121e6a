/** A node of a parsed expression, as the library gives it. */
export type { ASTNode as CelNode } from '@marcbachmann/cel-js';
