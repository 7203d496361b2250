// How the page asks: a worker made of text that the page holds, since a page from a file may load nothing else.
const LIMIT=268435456,text=id=>document.getElementById(id).textContent,waiting=new Map();let asked=0;
const bytes=base64=>Uint8Array.from(atob(base64.trim()),c=>c.charCodeAt(0)).buffer;
const engine=new Worker(URL.createObjectURL(new Blob([text('program'),text('worker')],{type:'text/javascript'})));
engine.onmessage=({data})=>{waiting.get(data.id)(data.reply);waiting.delete(data.id)};
engine.onerror=e=>{for(const f of waiting.values())f({error:'this browser cannot run it: '+e.message});waiting.clear()};
function ask(message){return new Promise(done=>{waiting.set(++asked,done);engine.postMessage({...message,id:asked})})}
ask({weights:bytes(text('weights'))}).then(r=>{document.querySelector('p.note').textContent=r.note||r.error});
async function answer(file,explain){return ask({picture:await file.arrayBuffer(),explain})}
