/** What a PromQL expression reads, by the parser that Prometheus' own web page uses. */
import type { SyntaxNode } from '@lezer/common';
import { parser } from '@prometheus-io/lezer-promql';

export interface Query {
  metrics: string[];
  /** Of each metric that is read, `{…}` as it is written; '' where it has none. */
  matchers: string[];
  /** In matchers and in `by (…)`. */
  labels: string[];
  /** Where it cannot be parsed. */
  faults: string[];
}

export function readQuery(expression: string): Query {
  const query: Query = { metrics: [], matchers: [], labels: [], faults: [] };
  const textOf = ({ from, to }: Pick<SyntaxNode, 'from' | 'to'>) => expression.slice(from, to);
  const matchersOf = (selector: SyntaxNode) => {
    const matchers = selector.getChild('LabelMatchers');
    return matchers ? textOf(matchers) : '';
  };
  parser.parse(expression).iterate({
    enter(node) {
      if (node.type.isError) query.faults.push(`at ${node.from}: ${expression.slice(node.from)}`);
      else if (node.name === 'Identifier' && node.node.parent?.name === 'VectorSelector')
        query.metrics.push(textOf(node));
      else if (node.name === 'VectorSelector') query.matchers.push(matchersOf(node.node));
      else if (node.name === 'LabelName') query.labels.push(textOf(node));
    },
  });
  return query;
}
