// Prediction of an ONNX model by ONNX Runtime, for bench/compare_models.sh: one JSON line with images/s (median) and peak memory.
//
//   NODE_PATH=FOLDER/node_modules node bench/models_ort.cjs MODEL.onnx BATCH STEPS CHANNELS SIZE THREADS
//
// FOLDER: where `npm install --ignore-scripts onnxruntime-node` ran (its scripts would only fetch CUDA). All graph optimisations,
// one operator after the other on THREADS threads, which is its fastest setting for networks of one branch at a time.
const fs = require('fs');
const ort = require('onnxruntime-node');

const [file, ...numbers] = process.argv.slice(2);
const [batch, steps, channels, size, threads] = numbers.map(Number);

function median(values) {
  const sorted = [...values].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

async function main() {
  const session = await ort.InferenceSession.create(file, {
    intraOpNumThreads: threads, interOpNumThreads: 1, graphOptimizationLevel: 'all', executionMode: 'sequential',
  });
  const values = Float32Array.from({length: batch * channels * size * size}, (_, i) => Math.sin(i * 0.7));
  const feeds = {[session.inputNames[0]]: new ort.Tensor('float32', values, [batch, channels, size, size])};
  for (let i = 0; i < 2; ++i) await session.run(feeds);  // plans memory, packs weights
  const times = [];
  for (let i = 0; i < steps; ++i) {
    const start = process.hrtime.bigint();
    await session.run(feeds);
    times.push(Number(process.hrtime.bigint() - start) / 1e6);
  }
  const peak = /VmHWM:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1];
  const version = require('onnxruntime-node/package.json').version;
  console.log(JSON.stringify({peer: `ONNX Runtime ${version}`, batch_size: batch, images_per_second: 1000 * batch / median(times),
                              ms_per_step: median(times), peak_rss_mib: Number(peak) / 1024}));
}

main().catch((e) => { console.error(e.message); process.exit(1); });
