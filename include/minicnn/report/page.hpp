#pragma once
/// What the report's page is made of: style, script, and small pieces of HTML.

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/report/chart.hpp"

namespace minicnn::inline MINICNN_ABI::detail {

/// Colours for light pages, then for dark ones: of the system's choice, or of the reader's (data-theme).
inline constexpr const char* page_light =
    "--bg:#f6f6f3;--fg:#1d1f21;--mute:#5f646c;--line:#e0e0da;--card:#fff;--s0:#2563c9;--s1:#d2571f;--s2:#2a8a57;--s3:#8a4fc0;"
    "--s4:#b08900;--s5:#c0392b;--s6:#16818f;--s7:#7a5c3e;--good:37,99,201;--bad:210,87,31";
inline constexpr const char* page_dark =
    "--bg:#14161a;--fg:#e8e9eb;--mute:#9ba1aa;--line:#31353c;--card:#1d2025;--s0:#74aeff;--s1:#ff9c66;--s2:#63cf96;--s3:#c79bf2;"
    "--s4:#e3c04a;--s5:#ff8577;--s6:#56c8d8;--s7:#c6a27e;--good:110,168,255;--bad:255,150,95";

inline constexpr const char* page_style = R"(
*{box-sizing:border-box}html{-webkit-text-size-adjust:100%}body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif}
main{max-width:1180px;margin:0 auto;padding:24px 16px 64px}header{display:flex;gap:12px;align-items:flex-start;justify-content:space-between}
h1{font-size:1.45rem;line-height:1.25;margin:0 0 4px;overflow-wrap:anywhere}h2{font-size:1rem;font-weight:650;margin:0 0 10px}
p.note{color:var(--mute);margin:0 0 18px}.card>p.note{margin:8px 0 0;font-size:.85rem}
a{color:var(--s0)}
button{font:inherit;font-size:.85rem;color:var(--fg);background:var(--card);border:1px solid var(--line);border-radius:8px;padding:5px 12px;cursor:pointer;white-space:nowrap}
button:hover{border-color:var(--mute)}:focus-visible{outline:2px solid var(--s0);outline-offset:2px}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:12px;margin:0 0 16px}
.figure{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:12px 16px}
.figure b{display:block;font-size:1.4rem;line-height:1.3;font-variant-numeric:tabular-nums}.figure span{color:var(--mute);font-size:.82rem}
.cards{display:grid;gap:16px;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr))}.cards>*{min-width:0}.wide{grid-column:1/-1}.stack{display:grid;gap:16px;align-content:start}.stack>*{min-width:0}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:16px}.scroll{overflow-x:auto}
svg.chart{width:100%;height:auto;display:block;touch-action:pan-y;border-radius:6px}.grid{stroke:var(--line)}.tick{fill:var(--mute);font-size:11.5px}
.ideal{stroke:var(--mute);stroke-dasharray:4 4}.mark{stroke:var(--mute);stroke-dasharray:3 4}.cursor{stroke:var(--mute)}
.s0{--c:var(--s0)}.s1{--c:var(--s1)}.s2{--c:var(--s2)}.s3{--c:var(--s3)}.s4{--c:var(--s4)}.s5{--c:var(--s5)}.s6{--c:var(--s6)}.s7{--c:var(--s7)}
polyline{fill:none;stroke:var(--c);stroke-width:2.2;stroke-linejoin:round}circle{fill:var(--c)}.key{display:flex;flex-wrap:wrap;gap:4px 18px;color:var(--mute);font-size:.85rem;margin-top:6px}
.key i{display:inline-block;width:14px;height:3px;border-radius:2px;margin:0 7px 3px 0}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;width:100%;font-size:.92rem}th,td{padding:6px 10px;text-align:right;border-bottom:1px solid var(--line)}
tr:last-child td{border-bottom:0}th:first-child,td:first-child{text-align:left}thead th{color:var(--mute);font-weight:500;vertical-align:bottom}tr.best td{font-weight:650}
td{white-space:nowrap}td.cell{text-align:center}.columns{display:grid;align-items:start;gap:0 32px;grid-template-columns:repeat(auto-fit,minmax(min(100%,300px),1fr))}table.pairs td{white-space:normal;text-align:left;vertical-align:top;overflow-wrap:anywhere}table.pairs td:first-child{color:var(--mute);width:42%;overflow-wrap:normal}
code{font:13px/1.6 ui-monospace,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
.gallery{display:grid;gap:14px;grid-template-columns:repeat(auto-fill,minmax(min(100%,250px),1fr))}.gallery figure{margin:0;min-width:0}
.gallery .pair{display:grid;grid-template-columns:1fr 1fr;gap:3px;border-radius:8px;overflow:hidden}.gallery img,.thumbs img{width:100%;height:auto;display:block}
figcaption{font-size:.82rem;color:var(--mute);margin-top:5px;overflow-wrap:anywhere}figcaption b{color:var(--fg);font-weight:600}
.thumbs{display:grid;gap:8px;grid-template-columns:repeat(auto-fill,minmax(108px,1fr))}.thumbs img{border-radius:6px}
img.filters{width:min(100%,440px);height:auto;image-rendering:pixelated;display:block;border-radius:6px;background:#fff;padding:2px}
#tip{position:fixed;z-index:2;pointer-events:none;background:var(--fg);color:var(--bg);padding:5px 10px;border-radius:7px;font-size:.82rem;line-height:1.4;white-space:pre;max-width:calc(100vw - 16px);display:none}
@media(max-width:520px){main{padding:16px 10px 48px}.card{padding:12px 10px}.figures{grid-template-columns:1fr 1fr}.tick{font-size:14px}.thumbs{grid-template-columns:repeat(auto-fill,minmax(72px,1fr))}th,td{padding:5px 7px}}
@media print{button{display:none}.card,.figure{break-inside:avoid}}
)";

/// Values on hover, tap or arrow keys: the points nearest along the axis. A button for light and dark. Nothing needs it.
inline constexpr const char* page_script = R"(
const root=document.documentElement,tip=document.getElementById('tip'),dark=matchMedia('(prefers-color-scheme:dark)');
const b=document.createElement('button');b.id='theme';b.type='button';
const isDark=()=>root.dataset.theme?root.dataset.theme==='dark':dark.matches;
const show=()=>{b.textContent=isDark()?'Light':'Dark';b.setAttribute('aria-label',b.textContent+' colours')};
try{const t=localStorage.getItem('minicnn-theme');if(t)root.dataset.theme=t}catch(e){}
b.onclick=()=>{root.dataset.theme=isDark()?'light':'dark';try{localStorage.setItem('minicnn-theme',root.dataset.theme)}catch(e){}show()};
dark.addEventListener('change',show);show();document.querySelector('header').append(b);
for(const s of document.querySelectorAll('svg.chart')){
 const pts=[...s.querySelectorAll('circle')].map(c=>({x:+c.getAttribute('cx'),y:+c.getAttribute('cy'),t:c.querySelector('title').textContent}));
 for(const t of s.querySelectorAll('circle title'))t.remove();
 if(!pts.length)continue;const xs=[...new Set(pts.map(p=>p.x))].sort((a,b)=>a-b),h=s.viewBox.baseVal.height;
 const line=document.createElementNS(s.namespaceURI,'line');line.setAttribute('class','cursor');line.style.display='none';s.prepend(line);let at=-1;
 const hide=()=>{tip.style.display=line.style.display='none';at=-1};
 const put=(i,py)=>{at=i;const x=xs[i],r=s.getBoundingClientRect(),k=r.width/s.viewBox.baseVal.width;
  line.setAttribute('x1',x);line.setAttribute('x2',x);line.setAttribute('y1',12);line.setAttribute('y2',h-34);line.style.display='';
  tip.textContent=pts.filter(p=>p.x===x).map(p=>p.t).join('\n');tip.style.display='block';
  const px=r.left+x*k;let l=px+14;if(l+tip.offsetWidth>innerWidth-8)l=px-14-tip.offsetWidth;
  tip.style.left=Math.max(8,l)+'px';tip.style.top=Math.max(8,Math.min(py-tip.offsetHeight-10,innerHeight-tip.offsetHeight-8))+'px'};
 const move=e=>{const r=s.getBoundingClientRect(),x=(e.clientX-r.left)/r.width*s.viewBox.baseVal.width;
  let i=0;xs.forEach((v,j)=>{if(Math.abs(v-x)<Math.abs(xs[i]-x))i=j});put(i,e.clientY)};
 s.addEventListener('pointermove',move);s.addEventListener('pointerdown',move);s.addEventListener('pointerleave',hide);s.addEventListener('blur',hide);
 s.addEventListener('keydown',e=>{const d={ArrowRight:1,ArrowLeft:-1}[e.key];if(e.key==='Escape')hide();if(!d)return;e.preventDefault();
  put(Math.max(0,Math.min(xs.length-1,at<0?(d>0?0:xs.length-1):at+d)),s.getBoundingClientRect().top+60)});
}
const c=document.getElementById('command');if(c&&navigator.clipboard){const k=document.createElement('button');k.type='button';k.textContent='Copy';
 k.onclick=()=>navigator.clipboard.writeText(c.textContent).then(()=>{k.textContent='Copied'});c.after(' ',k)}
)";

inline std::string percent(double fraction, int decimals = 2) {
  return std::isfinite(fraction) ? fixed(100 * fraction, decimals) + " %" : "-";
}

inline std::string page_begin(const std::string& title, const std::string& note) {
  return text_of(
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\"><link rel=\"icon\" "
      "href=\"data:,\"><title>",
      html_escape(title), "</title><style>:root{color-scheme:light dark;", page_light,
      "}@media(prefers-color-scheme:dark){:root{", page_dark, "}}:root[data-theme=light]{color-scheme:light;", page_light,
      "}:root[data-theme=dark]{color-scheme:dark;", page_dark, "}", page_style, "</style></head><body><main><header><div><h1>",
      html_escape(title), "</h1><p class=\"note\">", html_escape(note), "</p></div></header>");
}

inline std::string page_end() {
  return text_of("</main><div id=\"tip\" role=\"status\"></div><script>", page_script, "</script></body></html>\n");
}

inline std::string figure(const std::string& value, const std::string& name) {
  return text_of("<div class=\"figure\"><b>", html_escape(value), "</b><span>", html_escape(name), "</span></div>");
}

/// A part of the page; `content` and `note` are HTML.
inline std::string card(const std::string& title, const std::string& content, const std::string& note = "", bool wide = false) {
  return text_of("<section class=\"card", wide ? " wide" : "", "\"><h2>", html_escape(title), "</h2><div class=\"scroll\">",
                 content, "</div>", note.empty() ? "" : "<p class=\"note\">" + note + "</p>", "</section>");
}

/// What the colours of series 0, 1, ... stand for.
inline std::string key(const std::vector<std::string>& names) {
  std::string out = "<div class=\"key\">";
  for (std::size_t i = 0; i < names.size(); ++i)
    out += text_of("<span><i style=\"background:var(--s", i % 8, ")\"></i>", html_escape(names[i]), "</span>");
  return out + "</div>";
}

inline std::string card(const chart& c) {
  std::vector<std::string> names;
  for (const chart_series& s : c.series) names.push_back(s.name);
  return card(c.title, chart_svg(c) + (names.size() > 1 ? key(names) : ""));
}

/// Names and values; long lists in up to `columns` tables side by side where there is room.
inline std::string pairs_table(const std::vector<std::pair<std::string, std::string>>& rows, std::size_t columns = 1) {
  std::string out = "<div class=\"columns\">";
  const std::size_t each = (rows.size() + columns - 1) / columns;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i % each == 0) out += i == 0 ? "<table class=\"pairs\"><tbody>" : "</tbody></table><table class=\"pairs\"><tbody>";
    out += "<tr><td>" + html_escape(rows[i].first) + "</td><td>" + html_escape(rows[i].second) + "</td></tr>";
  }
  return out + (rows.empty() ? "</div>" : "</tbody></table></div>");
}

}  // namespace minicnn::inline MINICNN_ABI::detail
