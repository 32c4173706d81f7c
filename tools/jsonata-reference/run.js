// Evaluates JSONata with the reference implementation: requests as lines of
// JSON on the standard input, an answer to each on the standard output.
//
//   {"expression": "a.b", "input": {}, "bindings": {}, "depth": 100}
//   {"result": 1}, {"undefined": true} or {"error": "T2001", "message": "…"}
//
// Input, bindings and depth may be missing. An error without a code is a fault
// of the reference itself: {"error": ""}. With --time, each answer also has the
// median time of reading and evaluating the expression, unless that does not
// end: "ms".

import jsonata from 'jsonata';
import readline from 'node:readline';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const timing = process.argv.includes('--time');
const longest = 1_000; // ms of one evaluation

// plain is a value without functions, as JSON can hold it.
function plain(value) {
  if (typeof value === 'function' || value?._jsonata_lambda || value?._jsonata_function) {
    return '';
  }
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw { code: 'D1001', message: `not a JSON number: ${value}` };
  }
  if (Array.isArray(value)) {
    return value.map((item) => (item === undefined ? null : plain(item)));
  }
  if (value !== null && typeof value === 'object') {
    if (value instanceof RegExp) {
      return '';
    }
    return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined).map(([k, v]) => [k, plain(v)]));
  }
  return value;
}

// bound ends an evaluation that nests too deep or takes too long.
function bound(expression, depth) {
  let level = 0;
  const end = Date.now() + longest;
  expression.assign(Symbol.for('jsonata.__evaluate_entry'), () => {
    if (++level > depth || Date.now() > end) {
      throw { code: 'U1001', message: 'too deep or too long' };
    }
  });
  expression.assign(Symbol.for('jsonata.__evaluate_exit'), () => {
    level--;
  });
}

async function evaluate(request, bounded) {
  const expression = jsonata(request.expression);
  if (bounded || request.depth !== undefined) {
    bound(expression, request.depth ?? 4000);
  }
  return expression.evaluate(request.input, request.bindings);
}

async function answer(request) {
  try {
    const value = await evaluate(request, true);
    return value === undefined ? { undefined: true } : { result: plain(value) };
  } catch (err) {
    return { error: err?.code ?? '', message: String(err?.message ?? err) };
  }
}

// median is the median time in ms of evaluations within about half a second,
// after as many to warm up; of what takes less than half a millisecond at
// once, of five.
async function median(request) {
  const measure = async (least, span) => {
    const times = [];
    const end = performance.now() + span;
    while (times.length < least || performance.now() < end) {
      const start = performance.now();
      try {
        await evaluate(request, false);
      } catch {
        // an error takes its time too
      }
      times.push(performance.now() - start);
    }
    times.sort((a, b) => a - b);
    return times[Math.floor(times.length / 2)];
  };
  const short = await measure(5, 0);
  if (short < 0.5) {
    return short;
  }
  await measure(5, 500);
  return measure(5, 500);
}

// work answers all requests, one after the other.
async function work(requests) {
  for (const request of requests) {
    const out = await answer(request);
    if (timing && out.error !== 'U1001') {
      out.ms = await median(request);
    }
    parentPort.postMessage(out);
  }
}

// main lets a thread work, because the reference has loops that no evaluation
// can end from within: then the request fails, and another thread goes on.
async function main() {
  const requests = [];
  for await (const line of readline.createInterface({ input: process.stdin })) {
    requests.push(JSON.parse(line));
  }
  let next = 0;
  const write = (out) => {
    next++;
    process.stdout.write(JSON.stringify(out) + '\n');
  };
  while (next < requests.length) {
    await new Promise((resolve, reject) => {
      const worker = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2), workerData: requests.slice(next) });
      let watch;
      const wait = () => {
        clearTimeout(watch);
        watch = setTimeout(() => {
          write({ error: '', message: 'it does not end' });
          worker.terminate();
        }, 2 * longest);
      };
      worker.on('message', (out) => {
        write(out);
        wait();
      });
      worker.on('error', (err) => {
        if (err.code !== 'ERR_WORKER_OUT_OF_MEMORY') {
          reject(err);
          return;
        }
        write({ error: '', message: 'out of memory' });
      });
      worker.on('exit', () => {
        clearTimeout(watch);
        resolve();
      });
      wait();
    });
  }
}

await (isMainThread ? main() : work(workerData));
