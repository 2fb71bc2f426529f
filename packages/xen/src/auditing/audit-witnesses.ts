/**
 * Decisions by which Xen shows whether a policy with auditing is in force.
 *
 * @module
 */
import { readPolicydb } from '@dewar/policy/policydb';
import { PolicyView } from '@dewar/policy/security-server';
import type { AuditWitness } from '../protocol.ts';

/** Each is a hypercall or three. */
const WITNESSES = 12;

/** Decisions between some labels that the two policies log differently; none where they do not differ there. */
export function auditWitnesses(original: Uint8Array, audited: Uint8Array, labels: readonly string[]): AuditWitness[] {
  const [before, after] = [readPolicydb(original), readPolicydb(audited)];
  if ('diagnostic' in before || 'diagnostic' in after) return [];
  const views = [new PolicyView(before.policy), new PolicyView(after.policy)] as const;
  const contexts = [...new Set(labels)].flatMap((label) => {
    const context = views[0].parse(label);
    return 'type' in context ? [{ label, context }] : [];
  });
  const witnesses: AuditWitness[] = [];
  for (const source of contexts) {
    for (const target of contexts) {
      for (const { value: tclass } of after.policy.classes.entries) {
        const [plain, logged] = views.map((view) => {
          return view.computeAv(source.context, target.context, tclass).auditAllow >>> 0;
        });
        if (logged === undefined || plain === logged) continue;
        // XEN: a policy whose classes have other numbers than Xen's is not loaded.
        witnesses.push({ source: source.label, target: target.label, tclass, auditAllow: logged });
        if (witnesses.length === WITNESSES) return witnesses;
      }
    }
  }
  return witnesses;
}
