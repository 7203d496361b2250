// The network in a thread of its own, so that the page stays alive while it computes. `createMinicnn` is the compiled
// answer.cpp; the page sends the weights file first, then pictures.
let ready;
onmessage=async({data:{id,weights,picture,explain}})=>{
 try{
  if(weights){
   ready=createMinicnn().then(m=>{m.FS.writeFile('/weights.safetensors',new Uint8Array(weights));return m});
   postMessage({id,reply:JSON.parse((await ready).note())});return}
  const m=await ready;postMessage({id,reply:JSON.parse(m.answer(picture,explain))});
 }catch(e){postMessage({id,reply:{error:'no answer: '+(e.message||e)}})}
};
