/** `definitions schema`: the JSON Schema that editors check a file against while it is written. */
import { type EditorSchema, editorSchema } from '../definitions/editor-schema.ts';
import type { Resolvers } from '../resolvers/registry.ts';

export interface SchemaInput {
  kind: EditorSchema;
  resolvers: Resolvers;
  print(line: string): void;
}

export function schemaCommand({ kind, resolvers, print }: SchemaInput): void {
  print(JSON.stringify(editorSchema(kind, resolvers), null, 2));
}
