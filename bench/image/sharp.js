// Times sharp: node sharp.js FILE SIDE RUNS OUT prints the CPU seconds of each run. Its defaults, but one thread, as ours.
'use strict'
const fs = require('node:fs')
const sharp = require('sharp')

sharp.concurrency(1)
sharp.cache(false)

async function main([file, side, runs, out]) {
  const bytes = fs.readFileSync(file)
  for (let run = 0; run < Number(runs); run++) {
    const before = process.cpuUsage()
    let image = sharp(bytes)
    if (Number(side) > 0) image = image.resize({ width: Number(side), height: Number(side), fit: 'inside' }).jpeg()
    else image = image.raw()
    const result = await image.toBuffer()
    const { user, system } = process.cpuUsage(before)
    process.stdout.write(`${(user + system) / 1e6}\n`)
    fs.writeFileSync(out, Number(side) > 0 ? result : '')
  }
}

main(process.argv.slice(2))
