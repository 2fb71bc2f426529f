/**
 * Dewar's answers to the questions that `sepol-harness.c` takes.
 *
 * @module
 */
import { AVTAB_CHANGE, AVTAB_MEMBER, AVTAB_TRANSITION, type Context, type PolicyDb } from '@dewar/policy/policydb';
import { PolicyView } from '@dewar/policy/security-server';
import type { Query, Question } from './questions.ts';

const KINDS = { t: AVTAB_TRANSITION, m: AVTAB_MEMBER, h: AVTAB_CHANGE } as const;

/** A policy that is asked questions one after the other. */
export class OurAnswers {
  readonly view: PolicyView;
  readonly #contexts: (Context | undefined)[] = [];

  constructor(policy: PolicyDb) {
    this.view = new PolicyView(policy);
  }

  context(number: number): Context | undefined {
    return this.#contexts[number];
  }

  answer(question: Question): string {
    switch (question.kind) {
      case 'c': {
        const context = this.view.parse(question.text);
        const isValid = !('part' in context);
        this.#contexts.push(isValid ? context : undefined);
        return isValid ? '1' : '0';
      }
      case 'b': {
        const boolean = this.view.policy.booleans.byName.get(question.name);
        if (boolean === undefined) return '0';
        this.view.booleans[boolean.value] = question.value;
        this.view.applyBooleans();
        return '1';
      }
      default:
        return this.#query(question);
    }
  }

  #query({ kind, source, target, tclass }: Query): string {
    const from = this.#contexts[source];
    const to = this.#contexts[target];
    if (from === undefined || to === undefined) return '-';
    if (kind === 'a') {
      if (this.view.classSymbol(tclass) === undefined) return '-';
      const { allowed, auditAllow, auditDeny } = this.view.computeAv(from, to, tclass);
      return [allowed, auditAllow, auditDeny].map((vector) => vector.toString(16)).join(' ');
    }
    const context = this.view.newContext(from, to, tclass, KINDS[kind]);
    return this.view.fault(context) === undefined ? this.view.text(context) : '-';
  }
}
