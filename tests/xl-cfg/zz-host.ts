import { SourceText } from '@dewar/policy/text';
import { parseXlCfg, readDomainConfig, printDomainConfigJson } from '@dewar/toolstack/xl-cfg';
const M = 2_000_000;
const N = "name='g'\nkernel='/k'\n";
const rep = (s: string) => s.repeat(Math.ceil(M / s.length));
const shapes: Record<string,string> = {
 open: 'a='+rep('['), openclose: 'a='+'['.repeat(M/2)+']'.repeat(M/2), nest4000:'a='+'['.repeat(4000)+'1'+']'.repeat(4000)+'\n', close: rep(']'), string: `a="${rep('x')}"\n`, openstring: `a="${rep('x')}`, key: rep('k'), keyeq: rep('k')+'=1\n', lines: rep('a=1\n'), plus: rep('a+="x"\n'), plusl: rep('a+=["x"]\n'), unknown: Array.from({length:200000},(_, i)=>`k${i}=1\n`).join(''), unknownlabel: Array.from({length:100000},(_, i)=>`sec_label${i}=1\n`).join(''), list: `vif=[${rep('"x",')}]\n`, listl: `vif=[${rep('[],')}]\n`, badlist: 'a=['+rep('"x" '), semi: rep(';'), nl: rep('\n'), bs: rep('\\'), bsb: rep('\\ '), q: rep('"'), qb: rep('" '), qq: rep(`" ' `), esc: `a="${rep('\\0123')}"\n`, esc2:`a="${rep('\\n')}"\n`, badesc: rep('a="\\q"\n'), nul: rep('\0'), nuls: rep('a="\0"\n'), cr: rep('\r'), crlf: rep('a=1\r\n'), crnl: rep('\r\n'), at: rep('@ '), atnl: rep('@\n'), hash: rep('#'), hashnl: '\n'+rep('#'), words: rep('a b '), wordsnl: rep('a b\n'), eq: rep('='), aeq: rep('a='), aeqnl: rep('a=\n'), high: rep('\xff'), curly: rep('\xe2\x80\x9c'), curly2: 'a='+rep('\xe2\x80\x9cx '), commas: 'a=['+rep(','), unclosed: rep('a=[\n'), digits: 'memory='+rep('9')+'\n', digits2: `memory="${rep('9')}x"\n`, zeros: `memory="${rep('0')}"\n`, blanks: rep(' '), label: `seclabel="${rep('u:')}"\n`, label2: `seclabel="${rep('u')}:r:t"\n`, label3: `seclabel="u:r:t:${rep('s0 ')}"\n`, boot: `bootloader_args="${rep('a ')}"\n`, viridian: `type="hvm"\nviridian=[${rep('"freq",')}]\n`, vcpus: 'vcpus=2147483647\n', vcp2: 'vcpus=8193\n', uuid: `uuid="${rep('0-')}"\n`, dots: rep('a.'), Caps: rep('A'), capsl: rep('A=1\n'), dash: rep('a-'), dashes: rep('a-b=1\n'), b: `seclabel='${rep('x')}_building'\n`, i: `init_seclabel='u:r:${rep('x')}_building'\n`, tab: rep('\t'), mixed: rep(`a=[ "x\n`),mixed2: rep(`a=[ 'x',\n`), cm: rep(`a=1 # x\n`), two: rep('a=1 b=2\n'),
};
for (const [n, s] of Object.entries(shapes)) for (const t of [s, N+s, N + s + '\n@']) {
  const t0 = performance.now();
  const c = parseXlCfg(new SourceText('g', t)); const t1 = performance.now();
  const r = readDomainConfig(c); const t2 = performance.now();
  if (r.xl.kind === 'made') printDomainConfigJson(r.xl.config); const t3 = performance.now();
  if (t3 - t0 > 1200) console.log(n, Math.round(t1-t0), Math.round(t2-t1), Math.round(t3-t2), r.diagnostics.length, r.xl.kind);
}
