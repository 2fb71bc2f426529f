/**
 * The access vector cache: decisions kept, denials logged.
 *
 * Follows: Xen `xen/xsm/flask/avc.c` (`avc_has_perm_noaudit`, `avc_audit`, `avc_update_node`).
 *
 * @module
 */
import { XEN_RELEASES } from '../releases/index.ts';
import { type AuditData, formatAvcLine } from './avc-line.ts';
import type { AvDecision } from './decisions.ts';
import type { SecurityServer } from './security-server.ts';

export interface AvcOptions {
  readonly isEnforcing: () => boolean;
  /** Takes each line that Xen would put on its console, without prefix and line end. */
  readonly log: (line: string) => void;
}

export type AccessOutcome =
  | {
      readonly kind: 'granted';
      readonly line: string | undefined /** Denied by the policy, and let pass. */;
      readonly missing: number;
    }
  | {
      readonly kind: 'denied';
      readonly errno: 'EACCES' | 'EINVAL';
      readonly line: string | undefined;
      readonly missing: number;
    };

interface Node {
  readonly decision: AvDecision;
  /** The bits granted: those of the decision, and those let pass in permissive mode. */
  allowed: number;
}

/** Nodes above which the cache is emptied: more pairs than a host has domains. */
const MAX_NODES = 0x10000;

/** Decisions of one security server, with Xen's rules for what is logged. */
export class Avc {
  readonly #server: SecurityServer;
  readonly #options: AvcOptions;
  readonly #nodes = new Map<number, Node>();
  readonly #hasOldNames: boolean;

  constructor(server: SecurityServer, options: AvcOptions) {
    this.#server = server;
    this.#options = options;
    this.#hasOldNames = XEN_RELEASES.indexOf(server.release.name) < XEN_RELEASES.indexOf('4.17');
    server.onReset(() => this.flush());
  }

  flush(): void {
    this.#nodes.clear();
  }

  /** Whether `requested`, bits of `tclass`, is granted. `data` is for the line, where there is one. */
  hasPerm(ssid: number, tsid: number, tclass: number, requested: number, data: AuditData): AccessOutcome {
    const node = this.#node(ssid, tsid, tclass);
    if (node === undefined) {
      const line = this.#line('denied', ssid, tsid, tclass, requested, data);
      return { kind: 'denied', errno: 'EINVAL', line, missing: requested };
    }
    const missing = (requested & ~node.allowed) >>> 0;
    if (missing === 0) {
      const isAudited = (requested & node.decision.auditAllow) !== 0;
      const line = isAudited ? this.#line('granted', ssid, tsid, tclass, requested, data) : undefined;
      return { kind: 'granted', line, missing: 0 };
    }
    const isAudited = (missing & node.decision.auditDeny) !== 0;
    const line = isAudited ? this.#line('denied', ssid, tsid, tclass, missing, data) : undefined;
    if (this.#options.isEnforcing() && !node.decision.permissive)
      return { kind: 'denied', errno: 'EACCES', line, missing };
    // XEN: what is let pass is noted in the cache, so that it is logged once.
    node.allowed = (node.allowed | requested) >>> 0;
    return { kind: 'granted', line, missing };
  }

  #node(ssid: number, tsid: number, tclass: number): Node | undefined {
    const key = (ssid * 0x200000 + tsid) * 0x400 + tclass;
    let node = this.#nodes.get(key);
    if (node === undefined) {
      const decision = this.#server.computeAv(ssid, tsid, tclass);
      if (decision === 'EINVAL') return undefined;
      if (this.#nodes.size >= MAX_NODES) this.#nodes.clear();
      node = { decision, allowed: decision.allowed };
      this.#nodes.set(key, node);
    }
    return node;
  }

  #line(
    outcome: 'denied' | 'granted',
    ssid: number,
    tsid: number,
    tclass: number,
    permissions: number,
    data: AuditData,
  ): string {
    const symbol = this.#server.release.classes[tclass - 1];
    const line = formatAvcLine({
      outcome,
      permissions,
      permissionNames: symbol?.permissions ?? [],
      scontext: this.#server.sidToContext(ssid),
      tcontext: this.#server.sidToContext(tsid),
      tclass: symbol?.name ?? String(tclass),
      data,
      hasOldNames: this.#hasOldNames,
    });
    this.#options.log(line);
    return line;
  }
}
