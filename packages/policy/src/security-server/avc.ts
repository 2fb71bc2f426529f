/**
 * The access vector cache: decisions kept, denials logged.
 *
 * The cache is Xen's, slot by slot: what it forgets when it is full decides when a permissive denial is told again.
 * Follows: Xen `xen/xsm/flask/avc.c` (`avc_has_perm_noaudit`, `avc_audit`, `avc_update_node`, `avc_reclaim_node`).
 *
 * @module
 */
import { hasOldAvcText, isSince } from '../releases/index.ts';
import { type AuditData, formatAvcLine } from './avc-line.ts';
import { element } from './checked-element.ts';
import type { AvDecision } from './decisions.ts';
import type { SecurityServer } from './security-server.ts';

/** What the cache needs of its host. */
export interface AvcOptions {
  /** Whether a denial stops what was asked. */
  readonly isEnforcing: () => boolean;
  /** Takes each line that Xen would put on its console, without prefix and line end. */
  readonly log: (line: string) => void;
}

/** How a check came out. `line` is what was logged, `missing` the bits that the policy does not give. */
export type AccessOutcome =
  | {
      readonly kind: 'granted';
      readonly line: string | undefined;
      /** Bits that the policy does not give and that were let pass, now or before. */
      readonly missing: number;
    }
  | {
      readonly kind: 'denied';
      readonly errno: 'EACCES' | 'EINVAL';
      readonly line: string | undefined;
      readonly missing: number;
    };

/** What `FLASK_AVC_HASHSTATS` tells. */
export interface AvcHashStats {
  readonly entries: number;
  readonly bucketsUsed: number;
  readonly bucketsTotal: number;
  readonly maxChainLength: number;
}

/** What `FLASK_AVC_CACHESTATS` tells, for the one CPU that there is. */
export interface AvcCacheStats {
  readonly lookups: number;
  readonly hits: number;
  readonly misses: number;
  readonly allocations: number;
  readonly reclaims: number;
  readonly frees: number;
}

/** The cache as plain data. */
export interface AvcSnapshot {
  readonly threshold: number;
  readonly hint: number;
  readonly stats: AvcCacheStats;
  /** What Xen counts as nodes in use. */
  readonly active: number;
  /** Slot after slot, the newest node of each first. */
  readonly nodes: readonly AvcNode[];
}

/** One cached decision. */
export interface AvcNode {
  readonly ssid: number;
  readonly tsid: number;
  readonly tclass: number;
  readonly decision: AvDecision;
  /** The bits granted: those of the decision, and those let pass in permissive mode. */
  readonly allowed: number;
}

const AVC_CACHE_SLOTS = 512;
const AVC_DEF_CACHE_THRESHOLD = 512;
const AVC_CACHE_RECLAIM = 16;

/** Decisions of one security server, with Xen's rules for what is logged. */
export class Avc {
  readonly #server: SecurityServer;
  readonly #options: AvcOptions;
  /** The newest node of a slot comes first. */
  readonly #slots: AvcNode[][] = Array.from({ length: AVC_CACHE_SLOTS }, () => []);
  readonly #hasOldNames: boolean;
  readonly #hasPrefixedZero: boolean;
  readonly #stats = { lookups: 0, hits: 0, misses: 0, allocations: 0, reclaims: 0, frees: 0 };
  #active = 0;
  #hint = 0;
  /** Nodes above which room is made; `FLASK_SETAVC_THRESHOLD` sets it. */
  threshold: number = AVC_DEF_CACHE_THRESHOLD;

  constructor(server: SecurityServer, options: AvcOptions) {
    this.#server = server;
    this.#options = options;
    this.#hasOldNames = hasOldAvcText(server.release.name);
    this.#hasPrefixedZero = !isSince(server.release.name, '4.8');
    server.onReset(() => this.flush());
  }

  /** Forgets all decisions. */
  flush(): void {
    for (const slot of this.#slots) {
      this.#stats.frees += slot.length;
      slot.length = 0;
    }
    this.#active = 0;
  }

  /** What `FLASK_AVC_HASHSTATS` would answer now. */
  hashStats(): AvcHashStats {
    let bucketsUsed = 0;
    let maxChainLength = 0;
    for (const { length } of this.#slots) {
      if (length > 0) bucketsUsed++;
      maxChainLength = Math.max(maxChainLength, length);
    }
    return { entries: this.#active, bucketsUsed, bucketsTotal: AVC_CACHE_SLOTS, maxChainLength };
  }

  /** What `FLASK_AVC_CACHESTATS` would answer now. */
  cacheStats(): AvcCacheStats {
    return { ...this.#stats };
  }

  /** What `restore` needs. */
  snapshot(): AvcSnapshot {
    return {
      threshold: this.threshold,
      hint: this.#hint,
      stats: this.cacheStats(),
      active: this.#active,
      nodes: this.#slots.flat(),
    };
  }

  /** Puts a snapshot in the place of what is cached. */
  restore({ threshold, hint, stats, active, nodes }: AvcSnapshot): void {
    for (const slot of this.#slots) slot.length = 0;
    for (const node of nodes) this.#slot(node.ssid, node.tsid, node.tclass).push(node);
    this.threshold = threshold;
    this.#hint = hint & (AVC_CACHE_SLOTS - 1);
    this.#active = active;
    Object.assign(this.#stats, stats);
  }

  /** Whether `requested`, bits of `tclass`, is granted. `data` is for the line, where there is one. */
  hasPerm(ssid: number, tsid: number, tclass: number, requested: number, data: AuditData): AccessOutcome {
    const node = this.#lookup(ssid, tsid, tclass) ?? this.#insert(ssid, tsid, tclass);
    if (node === undefined) {
      const line = this.#line('denied', ssid, tsid, tclass, requested, data);
      return { kind: 'denied', errno: 'EINVAL', line, missing: requested };
    }
    const { decision } = node;
    const missing = (requested & ~decision.allowed) >>> 0;
    const denied = (requested & ~node.allowed) >>> 0;
    if (denied === 0) {
      const isAudited = (requested & decision.auditAllow) !== 0;
      const line = isAudited ? this.#line('granted', ssid, tsid, tclass, requested, data) : undefined;
      return { kind: 'granted', line, missing };
    }
    const isEnforced = this.#options.isEnforcing() && !decision.permissive;
    // XEN: what is let pass is noted in the cache, so that it is logged once.
    if (!isEnforced) this.#update(node, requested);
    const isAudited = (denied & decision.auditDeny) !== 0;
    const line = isAudited ? this.#line('denied', ssid, tsid, tclass, denied, data) : undefined;
    return isEnforced ? { kind: 'denied', errno: 'EACCES', line, missing: denied } : { kind: 'granted', line, missing };
  }

  #slot(ssid: number, tsid: number, tclass: number): AvcNode[] {
    return element(this.#slots, (ssid ^ (tsid << 2) ^ (tclass << 4)) & (AVC_CACHE_SLOTS - 1));
  }

  #lookup(ssid: number, tsid: number, tclass: number): AvcNode | undefined {
    this.#stats.lookups++;
    for (const node of this.#slot(ssid, tsid, tclass)) {
      if (node.ssid === ssid && node.tsid === tsid && node.tclass === tclass) {
        this.#stats.hits++;
        return node;
      }
    }
    this.#stats.misses++;
    return undefined;
  }

  #insert(ssid: number, tsid: number, tclass: number): AvcNode | undefined {
    const decision = this.#server.computeAv(ssid, tsid, tclass);
    if (decision === 'EINVAL') return undefined;
    const node: AvcNode = { ssid, tsid, tclass, decision, allowed: decision.allowed };
    this.#allocate();
    this.#slot(ssid, tsid, tclass).unshift(node);
    return node;
  }

  /** Puts a node with more bits in the place of another, unless making room for it has thrown that one out. */
  #update(node: AvcNode, bits: number): void {
    this.#allocate();
    const slot = this.#slot(node.ssid, node.tsid, node.tclass);
    const at = slot.indexOf(node);
    if (at >= 0) slot[at] = { ...node, allowed: (node.allowed | bits) >>> 0 };
    this.#active--;
    this.#stats.frees++;
  }

  /** Counts a node, and makes room if there are too many: sixteen nodes go, from the slots that are next in turn. */
  #allocate(): void {
    this.#stats.allocations++;
    this.#active++;
    if (this.#active <= this.threshold) return;
    let reclaimed = 0;
    for (let tried = 0; tried < AVC_CACHE_SLOTS && reclaimed < AVC_CACHE_RECLAIM; tried++) {
      this.#hint = (this.#hint + 1) & (AVC_CACHE_SLOTS - 1);
      reclaimed += element(this.#slots, this.#hint).splice(0, AVC_CACHE_RECLAIM - reclaimed).length;
    }
    this.#active -= reclaimed;
    this.#stats.reclaims += reclaimed;
    this.#stats.frees += reclaimed;
  }

  #line(
    outcome: 'denied' | 'granted',
    ssid: number,
    tsid: number,
    tclass: number,
    permissions: number,
    data: AuditData,
  ): string {
    const server = this.#server;
    const symbol = server.release.classes[tclass - 1];
    const line = formatAvcLine({
      outcome,
      permissions,
      permissionNames: symbol?.permissions ?? [],
      scontext: server.hasContext(ssid) ? server.sidToContext(ssid) : ssid,
      tcontext: server.hasContext(tsid) ? server.sidToContext(tsid) : tsid,
      tclass: symbol?.name ?? String(tclass),
      data,
      hasOldNames: this.#hasOldNames,
      hasPrefixedZero: this.#hasPrefixedZero,
    });
    this.#options.log(line);
    return line;
  }
}
