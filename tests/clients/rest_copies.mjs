// Copies to storages: public and not, with operations and patterns, twice, and those that are refused.
import { copyFileToRemoteStorage } from '@uploadcare/rest-client'
import { refusal, settings, upload } from './rest.mjs'
import { input, report } from './wire.mjs'

const copy = (options) => copyFileToRemoteStorage({ target: 'archive', ...options }, settings)
const picture = await upload(Buffer.from(input.picture, 'base64'), {
  fileName: 'a pixel.png',
  contentType: 'image/png',
})
const text = await upload('hello', { fileName: 'hello.txt', contentType: 'text/plain' })

report({
  ids: { picture, text },
  copied: await copy({ source: picture }),
  existed: await copy({ source: `${input.base}/${picture}/any.png` }),
  processed: await copy({ source: `${input.base}/${picture}/-/resize/20x30/-/format/jpeg/` }),
  secret: await copy({ source: text, makePublic: false, pattern: 'private/${uuid}${ext}' }),
  byPattern: await copy({ source: text, makePublic: true, pattern: 'texts/${filename}' }),
  refused: {
    'an unknown storage': await refusal(copy({ source: text, target: 'nowhere' })),
    'a bad pattern': await refusal(copy({ source: text, pattern: '${nope}' })),
    'a bad character': await refusal(copy({ source: text, pattern: 'a b' })),
    'no picture': await refusal(copy({ source: `${text}/-/resize/10x/` })),
    'an unknown file': await refusal(copy({ source: input.nobody })),
    'no bucket': await refusal(copy({ source: text, target: 'gone' })),
  },
})
