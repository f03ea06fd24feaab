// What the client makes of everything that the server refuses.
import { base, fromUrl, group, groupInfo, info, multipartComplete, multipartStart } from '@uploadcare/upload-client'
import { failure, report, settings } from './wire.mjs'

const content = Buffer.from('x')
const nobody = '00000000-0000-4000-8000-000000000000'
const start = { ...settings, fileName: 'x', contentType: 'text/plain' }
const cases = {
  'base without a key': () => base(content, { ...settings, publicKey: '' }),
  'base with an unknown key': () => base(content, { ...settings, publicKey: 'nobody' }),
  'base with bad metadata': () => base(content, { ...settings, metadata: { 'a key': 'x' } }),
  'base with too many tags': () => base(content, { ...settings, tags: Array.from({ length: 51 }, (_, n) => `t${n}`) }),
  'info without a key': () => info(nobody, { ...settings, publicKey: '' }),
  'info of nothing': () => info('', settings),
  'info of no id': () => info('nope', settings),
  'info of an unknown id': () => info(nobody, settings),
  'start of a small file': () => multipartStart(9_999_999, start),
  'start of a huge file': () => multipartStart(1e15, start),
  'start with small parts': () => multipartStart(2e7, { ...start, multipartChunkSize: 5_242_879 }),
  'complete of nothing': () => multipartComplete('', settings),
  'complete of no id': () => multipartComplete('nope', settings),
  'complete of an unknown id': () => multipartComplete(nobody, settings),
  'from_url of nothing': () => fromUrl('', settings),
  'from_url without a scheme': () => fromUrl('nope', settings),
  'from_url without a host': () => fromUrl('http://', settings),
  'from_url by another protocol': () => fromUrl('ftp://example.com/a.jpg', settings),
  'from_url of a private address': () => fromUrl('http://192.168.1.10/1.jpg', settings),
  'from_url with an unknown key': () => fromUrl('http://192.168.1.10/1.jpg', { ...settings, publicKey: 'nobody' }),
  'group of nothing': () => group([], settings),
  'group of no id': () => group(['nope'], settings),
  'group of an unknown id': () => group([nobody], settings),
  'group info of nothing': () => groupInfo('', settings),
  'group info of an unknown id': () => groupInfo(`${nobody}~1`, settings),
}
const refused = {}
for (const [name, request] of Object.entries(cases)) refused[name] = await failure(request())

report({ refused })
