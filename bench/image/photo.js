// Makes pictures that are like photographs to a codec: smooth light, structure at every scale, hard edges, grain of the
// sensor. The same seed makes the same picture.
'use strict'
const sharp = require('sharp')

/** A small generator of numbers from 0 to 1 (mulberry32). */
function numbers(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** Clouds: a lattice of random values, blended smoothly between its points and added up over octaves. */
function clouds(width, height, random, first, last, fall) {
  const out = new Float32Array(width * height)
  for (let octave = first, weight = 1; octave <= last; octave++, weight *= fall) {
    const cell = Math.max(width, height) / 2 ** octave
    const across = Math.ceil(width / cell) + 2
    const lattice = Float32Array.from({ length: across * (Math.ceil(height / cell) + 2) }, () => random() * 2 - 1)
    for (let y = 0; y < height; y++) {
      const row = Math.floor(y / cell)
      let v = y / cell - row
      v = v * v * (3 - 2 * v)
      for (let x = 0; x < width; x++) {
        const column = Math.floor(x / cell)
        let u = x / cell - column
        u = u * u * (3 - 2 * u)
        const at = row * across + column
        const above = lattice[at] + (lattice[at + 1] - lattice[at]) * u
        const below = lattice[at + across] + (lattice[at + across + 1] - lattice[at + across]) * u
        out[y * width + x] += (above + (below - above) * v) * weight
      }
    }
  }
  return out
}

/** Raw RGB of a picture of this size. */
function photo(width, height, seed) {
  const random = numbers(seed)
  const light = clouds(width, height, random, 1, 4, 0.5)
  const detail = clouds(width, height, random, 4, 11, 0.75)
  const tint = clouds(width, height, random, 2, 7, 0.6)
  const where = clouds(width, height, random, 2, 4, 0.6)
  const out = Buffer.alloc(width * height * 3)
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      // Below a ragged line there is ground with much detail, above it sky with little; bars with hard edges stand in it.
      const ground = y > height * (0.45 + 0.15 * where[(x % width) + Math.floor(height / 3) * width])
      const bar = ground && where[at] > 0.35 && Math.floor((x + y * 0.2) / 37) % 3 === 0
      const rough = ground ? 78 : 9
      const level = (ground ? 105 : 175) + light[at] * 35 + detail[at] * rough + (bar ? -55 : 0)
      const color = tint[at] * (ground ? 26 : 10)
      const grain = (random() + random() + random() - 1.5) * 9
      out[3 * at] = clamp(level + color + (ground ? 8 : -22) + grain)
      out[3 * at + 1] = clamp(level + (ground ? 5 : 2) + grain * 0.9)
      out[3 * at + 2] = clamp(level - color + (ground ? -25 : 32) + grain * 1.1)
    }
  }
  return out
}

function clamp(level) {
  return level < 0 ? 0 : level > 255 ? 255 : Math.round(level)
}

module.exports = { photo }

if (require.main === module) {
  const [file, width, height, seed, quality, kind] = process.argv.slice(2)
  const [w, h] = [Number(width), Number(height)]
  let picture = sharp(photo(w, h, Number(seed)), { raw: { width: w, height: h, channels: 3 } })
  if (kind === 'alpha') {
    // A cut-out with a soft edge.
    const alpha = Buffer.alloc(w * h)
    for (let y = 0, at = 0; y < h; y++) {
      for (let x = 0; x < w; x++, at++) alpha[at] = clamp(900 * (1 - Math.hypot((2 * x) / w - 1, (2 * y) / h - 1)) + 128)
    }
    picture = picture.joinChannel(alpha, { raw: { width: w, height: h, channels: 1 } }).png()
  } else {
    picture = picture.jpeg({ quality: Number(quality), chromaSubsampling: '4:2:0', progressive: kind === 'progressive' })
  }
  picture.toFile(file).then((info) => process.stdout.write(`${file}: ${info.size} bytes\n`))
}
