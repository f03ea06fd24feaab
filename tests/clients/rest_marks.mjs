// Metadata and tags of files.
import {
  deleteMetadata,
  getMetadata,
  getMetadataValue,
  getTags,
  replaceTags,
  updateMetadata,
  updateTags,
} from '@uploadcare/rest-client'
import { refusal, settings, upload } from './rest.mjs'
import { report } from './wire.mjs'

const uuid = await upload('x', { metadata: { color: 'red' }, tags: ['cat', 'Animal'] })
const bare = await upload('y', {})
const awkward = '-:45az_.Z'

const metadata = {
  before: await getMetadata({ uuid }, settings),
  none: await getMetadata({ uuid: bare }, settings),
  made: await updateMetadata({ uuid, key: awkward, value: 'Grüße, "quoted"\nand more' }, settings),
  changed: await updateMetadata({ uuid, key: 'color', value: 'blue' }, settings),
  again: await updateMetadata({ uuid, key: 'color', value: 'blue' }, settings),
  value: await getMetadataValue({ uuid, key: awkward }, settings),
  deleted: (await deleteMetadata({ uuid, key: 'color' }, settings)) ?? null,
  missing: await refusal(getMetadataValue({ uuid, key: 'color' }, settings)),
  deletedAgain: await refusal(deleteMetadata({ uuid, key: 'color' }, settings)),
  after: await getMetadata({ uuid }, settings),
}
const tags = {
  before: await getTags({ uuid }, settings),
  none: await getTags({ uuid: bare }, settings),
  replaced: await replaceTags({ uuid, tags: ['cat', 'cute', ' DOG '] }, settings),
  same: await replaceTags({ uuid, tags: ['Dog', 'cute', 'cat', 'cat'] }, settings),
  updated: await updateTags({ uuid, add: ['outdoor', 'cat'], delete: ['cute', 'missing'] }, settings),
  nothing: await updateTags({ uuid }, settings),
  after: await getTags({ uuid }, settings),
  cleared: await replaceTags({ uuid, tags: [] }, settings),
}

report({ awkward, metadata, tags })
