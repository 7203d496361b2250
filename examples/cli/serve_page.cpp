#include "serve_page.hpp"

#include <minicnn/report/chart.hpp>

namespace cli {

namespace {

const char* const head = R"(<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>minicnn</title><link rel="icon" href="data:,"><style>
:root{color-scheme:light dark;--bg:#fafaf8;--fg:#1d1f21;--mute:#63676e;--line:#dcdcd6;--card:#fff;--hot:#2563c9;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--bg:#16181b;--fg:#e6e7e9;--mute:#9a9fa7;--line:#33373d;--card:#1e2125;--hot:#6ea8ff;--bad:#ff8a80}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,sans-serif}
main{max-width:1120px;margin:0 auto;padding:24px 16px 64px}h1{font-size:1.5rem;margin:0 0 4px}
p.note{color:var(--mute);margin:0 0 16px;overflow-wrap:anywhere}
#drop{display:block;border:2px dashed var(--line);border-radius:14px;padding:36px 16px;text-align:center;cursor:pointer;background:var(--card)}
#drop:hover,#drop.over,#drop:focus-within{border-color:var(--hot)}#drop b{font-size:1.1rem}#drop span{display:block;color:var(--mute)}
#drop input{position:absolute;opacity:0;width:1px;height:1px}
#bar{display:flex;flex-wrap:wrap;gap:8px 20px;align-items:center;margin:14px 0;color:var(--mute)}
button{font:inherit;color:inherit;background:var(--card);border:1px solid var(--line);border-radius:8px;padding:4px 14px;cursor:pointer}
#results{display:grid;gap:16px;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr))}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px;min-width:0}
.pictures{display:flex;gap:8px}.pictures figure{margin:0;flex:1 1 0;min-width:0}
.pictures img{width:100%;aspect-ratio:1;object-fit:cover;border-radius:6px;display:block;background:var(--line)}
figcaption,.name{color:var(--mute);font-size:.8rem}.name{overflow:hidden;text-overflow:ellipsis;white-space:nowrap;margin:8px 0 2px}
.answer{font-size:1.2rem;font-weight:650;margin-bottom:6px}.error{color:var(--bad);overflow-wrap:anywhere}
.row{display:grid;grid-template-columns:minmax(4em,8em) 1fr 4.6em;gap:8px;align-items:center;font-size:.9rem;font-variant-numeric:tabular-nums}
.row>span:first-child{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}.row>span:last-child{text-align:right}
.track{height:8px;background:var(--line);border-radius:4px;overflow:hidden}.track i{display:block;height:100%;background:var(--hot)}
</style></head><body><main><h1>What is it?</h1>
)";

const char* const body = R"(<label id="drop"><input id="files" type="file" accept="image/jpeg,image/png,image/bmp" multiple>
<b>Drop photos here</b><span>or click to choose, or paste. JPEG, PNG and BMP. They are sent to this minicnn and nowhere else.</span></label>
<div id="bar"><label><input id="cam" type="checkbox" checked> show where the network looks (Grad-CAM)</label>
<button id="clear" type="button">Clear</button><span id="count" role="status"></span></div>
<div id="results" aria-live="polite"></div><noscript><p>This page needs JavaScript. From a shell: curl --data-binary @photo.jpg ADDRESS/predict</p></noscript>
</main><script>
const $=id=>document.getElementById(id),token=new URLSearchParams(location.search).get('token'),results=$('results'),queue=[];let busy=0,done=0,all=0;
function element(tag,name,text){const e=document.createElement(tag);if(name)e.className=name;if(text!==undefined)e.textContent=text;return e}
function percent(p){return (100*p).toFixed(p>.9995||p<.0005?2:1)+' %'}
function count(){$('count').textContent=all?done+' of '+all:''}
function figure(src,text){const f=element('figure'),i=element('img');i.src=src;i.alt=text;f.append(i,element('figcaption','',text));return f}
function show(card,pictures,answer){
 if(answer.error){card.append(element('div','error',answer.error));return}
 if(answer.overlay)pictures.append(figure(answer.overlay,'where it looks'));
 card.append(element('div','answer',answer.class+', '+percent(answer.probability)));
 // Sorted here: of an object's keys, JavaScript puts those that look like numbers first.
 for(const [name,p] of Object.entries(answer.probabilities).sort((a,b)=>b[1]-a[1]).slice(0,5)){
  const row=element('div','row'),track=element('div','track'),fill=element('i');fill.style.width=100*p+'%';track.append(fill);
  const label=element('span','',name);label.title=name;row.append(label,track,element('span','',percent(p)));card.append(row)}
}
async function send({file,card,pictures}){
 let answer;
 try{
  if(file.size>LIMIT)answer={error:'is larger than '+Math.floor(LIMIT/1048576)+' MB'};
  else{
   const form=new FormData();form.append('file',file,file.name||'pasted');
   const r=await fetch('predict?top=5'+($('cam').checked?'&explain=1':''),{method:'POST',body:form,headers:token?{Authorization:'Bearer '+token}:{}});
   const text=await r.json();answer=text.predictions?text.predictions[0]:{error:text.error||r.statusText};
  }
 }catch(e){answer={error:'no answer: '+e.message}}
 card.removeAttribute('aria-busy');show(card,pictures,answer);
}
async function work(){if(busy>=2||!queue.length)return;busy++;await send(queue.shift());busy--;done++;count();work()}
function add(files){
 for(const file of files){
  const card=element('article','card'),pictures=element('div','pictures'),url=URL.createObjectURL(file);
  card.setAttribute('aria-busy','true');pictures.append(figure(url,'photo'));pictures.querySelector('img').onload=()=>URL.revokeObjectURL(url);
  card.append(pictures,element('div','name',file.name||'pasted'));results.prepend(card);queue.push({file,card,pictures});all++;work()}
 count();
}
const drop=$('drop');
$('files').addEventListener('change',e=>{add(e.target.files);e.target.value=''});
for(const n of ['dragenter','dragover'])addEventListener(n,e=>{e.preventDefault();drop.classList.add('over')});
for(const n of ['dragleave','drop'])addEventListener(n,e=>{e.preventDefault();drop.classList.remove('over')});
addEventListener('drop',e=>add(e.dataTransfer.files));
addEventListener('paste',e=>add(e.clipboardData.files));
$('clear').addEventListener('click',()=>{results.replaceChildren();queue.length=0;all=busy;done=0;count()});
</script></body></html>
)";

}  // namespace

std::string serve_page(const model_info& info, std::int64_t max_bytes) {
  std::string classes;
  for (std::size_t i = 0; i < info.classes.size() && i < 12; ++i) classes += (i == 0 ? "" : ", ") + info.classes[i];
  if (info.classes.size() > 12) classes += minicnn::text_of(" and ", info.classes.size() - 12, " more");
  std::string script = body;
  const std::string limit = "<script>\n";
  script.insert(script.find(limit) + limit.size(), minicnn::text_of("const LIMIT=", max_bytes, ";\n"));
  return head +
         minicnn::text_of("<p class=\"note\">", minicnn::html_escape(info.config.name), ", ", info.transform.size, "x",
                          info.transform.size, " pixels, tells apart: ", minicnn::html_escape(classes), "</p>\n") +
         script;
}

}  // namespace cli
