// What the client makes of everything that the server refuses.
import {
  AddonName,
  ConversionType,
  UploadcareAuthSchema,
  addonExecutionStatus,
  addonJobPoller,
  conversionInfo,
  conversionJobPoller,
  conversionJobStatus,
  convert,
  copyFileToLocalStorage,
  copyFileToRemoteStorage,
  createWebhook,
  deleteFile,
  deleteFiles,
  deleteGroup,
  deleteMetadata,
  executeAddon,
  fileInfo,
  getMetadata,
  getMetadataValue,
  getTags,
  groupInfo,
  listOfFiles,
  replaceTags,
  searchFiles,
  storeFile,
  storeFiles,
  updateMetadata,
  updateTags,
  updateWebhook,
  deleteWebhook,
} from '@uploadcare/rest-client'
import { refusal, settings, upload, withKeys, withSchema } from './rest.mjs'
import { input, report } from './wire.mjs'

const uuid = await upload('x', {})
const nobody = '00000000-0000-4000-8000-000000000000'
const many = Array.from({ length: 101 }, () => nobody)
const hook = { targetUrl: `${input.base}/hook`, event: 'file.uploaded' }
const unsigned = new UploadcareAuthSchema({ publicKey: 'demopublickey', signatureResolver: async () => 'nonsense' })
const cases = {
  'an unknown key': () => listOfFiles({}, withKeys('nobody', 'demosecretkey')),
  'a wrong secret': () => listOfFiles({}, withKeys('demopublickey', 'nonsense')),
  'a wrong signature': () => listOfFiles({}, withSchema(unsigned)),
  'a list from no time': () => listOfFiles({ from: 'yesterday' }, settings),
  'a list of maybe stored files': () => listOfFiles({ stored: 'maybe' }, settings),
  'info of no id': () => fileInfo({ uuid: 'nope' }, settings),
  'info of an unknown id': () => fileInfo({ uuid: nobody }, settings),
  'storing an unknown file': () => storeFile({ uuid: nobody }, settings),
  'removing an unknown file': () => deleteFile({ uuid: nobody }, settings),
  'storing nothing': () => storeFiles({ uuids: [] }, settings),
  'storing no list': () => storeFiles({ uuids: { uuid } }, settings),
  'removing numbers': () => deleteFiles({ uuids: [1] }, settings),
  'removing too many': () => deleteFiles({ uuids: many }, settings),
  'a copy of nothing': () => copyFileToLocalStorage({}, settings),
  'a copy of no id': () => copyFileToLocalStorage({ source: 'nope' }, settings),
  'a copy of an unknown file': () => copyFileToLocalStorage({ source: nobody }, settings),
  'a copy that is maybe stored': () => copyFileToLocalStorage({ source: uuid, store: 'maybe' }, settings),
  'a copy to an unknown storage': () => copyFileToRemoteStorage({ source: uuid, target: 'nowhere' }, settings),
  'metadata of an unknown file': () => getMetadata({ uuid: nobody }, settings),
  'a value of an unknown key': () => getMetadataValue({ uuid, key: 'k' }, settings),
  'a value for a bad key': () => updateMetadata({ uuid, key: 'a key', value: 'x' }, settings),
  'a value that is too long': () => updateMetadata({ uuid, key: 'k', value: 'x'.repeat(513) }, settings),
  'a value that is none': () => updateMetadata({ uuid, key: 'k', value: { not: 'text' } }, settings),
  'a value for an unknown file': () => updateMetadata({ uuid: nobody, key: 'k', value: 'x' }, settings),
  'deletion of an unknown key': () => deleteMetadata({ uuid, key: 'k' }, settings),
  'tags of an unknown file': () => getTags({ uuid: nobody }, settings),
  'too many tags': () => replaceTags({ uuid, tags: many.map((_, n) => `t${n}`).slice(50) }, settings),
  'a tag of other letters': () => updateTags({ uuid, add: ['grün'] }, settings),
  'tags that are no list': () => replaceTags({ uuid, tags: 'cat' }, settings),
  'no id of a group': () => groupInfo({ uuid: nobody }, settings),
  'an unknown group': () => groupInfo({ uuid: `${nobody}~1` }, settings),
  'deletion of an unknown group': () => deleteGroup({ uuid: `${nobody}~1` }, settings),
  'a search for nothing': () => searchFiles({}, settings),
  'a search for too little': () => searchFiles({ query: 'abc' }, settings),
  'a search by a size that is none': () => searchFiles({ size: 5 }, settings),
  'a webhook without a target': () => createWebhook({ event: 'file.uploaded' }, settings),
  'a webhook for no URL': () => createWebhook({ ...hook, targetUrl: 'nope' }, settings),
  'a webhook in a private network': () => createWebhook({ ...hook, targetUrl: 'http://192.168.1.10/hook' }, settings),
  'a webhook for an unknown event': () => createWebhook({ ...hook, event: 'file.eaten' }, settings),
  'a webhook with a long secret': () => createWebhook({ ...hook, signingSecret: 's'.repeat(33) }, settings),
  'an unknown webhook': () => updateWebhook({ id: 1_000_000, isActive: false }, settings),
  'unsubscribing nobody': () => deleteWebhook({}, settings),
  'a document': () => convert({ type: ConversionType.DOCUMENT, paths: [`${uuid}/document/`], store: true }, settings),
  'a video': () => convert({ type: ConversionType.VIDEO, paths: [`${uuid}/video/`], store: false }, settings),
  'nothing to convert': () => convert({ type: ConversionType.DOCUMENT, paths: [] }, settings),
  'a document to wait for': () =>
    conversionJobPoller({ type: ConversionType.DOCUMENT, paths: [`${uuid}/document/`], saveInGroup: true }, settings),
  'status of an unknown document': () => conversionJobStatus({ type: ConversionType.DOCUMENT, token: 32921143 }, settings),
  'status of an unknown video': () => conversionJobStatus({ type: ConversionType.VIDEO, token: 32921143 }, settings),
  'formats of a document': () => conversionInfo({ uuid }, settings),
  'a virus scan': () => executeAddon({ addonName: AddonName.UC_CLAMAV_VIRUS_SCAN, target: uuid }, settings),
  'a background to remove': () =>
    addonJobPoller({ addonName: AddonName.REMOVE_BG, target: uuid, params: { crop: true } }, settings),
  'an add-on for no id': () => executeAddon({ addonName: AddonName.UC_CLAMAV_VIRUS_SCAN, target: 'nope' }, settings),
  'an unknown add-on': () => executeAddon({ addonName: 'nope', target: uuid }, settings),
  'status of no run': () =>
    addonExecutionStatus({ addonName: AddonName.REMOVE_BG, requestId: 'nope' }, settings),
}
const refused = {}
for (const [name, request] of Object.entries(cases)) refused[name] = await refusal(request())
const unknownRun = await addonExecutionStatus({ addonName: AddonName.REMOVE_BG, requestId: nobody }, settings)

report({ refused, unknownRun })
