// Webhooks: making, listing, changing and deleting them.
import { createWebhook, deleteWebhook, listOfWebhooks, updateWebhook } from '@uploadcare/rest-client'
import { refusal, settings } from './rest.mjs'
import { input, report } from './wire.mjs'

const targetUrl = `${input.origin}/hook`
const other = { targetUrl: `${input.origin}/other`, event: 'file.stored' }
const created = await createWebhook({ targetUrl, event: 'file.uploaded', signingSecret: 'tell nobody' }, settings)
const second = await createWebhook({ ...other, isActive: false }, settings)
const third = await createWebhook({ targetUrl, event: 'file.deleted' }, settings)
const duplicate = await refusal(createWebhook({ targetUrl, event: 'file.uploaded' }, settings))
const list = await listOfWebhooks({}, settings)
const updated = await updateWebhook({ id: second.id, isActive: true, event: 'file.info_updated' }, settings)
const moved = await updateWebhook({ id: third.id, targetUrl: other.targetUrl, signingSecret: 'new secret' }, settings)
const clash = await refusal(updateWebhook({ id: third.id, targetUrl, event: 'file.uploaded' }, settings))
const deleted = (await deleteWebhook({ targetUrl: other.targetUrl }, settings)) ?? null
const deletedAgain = (await deleteWebhook({ targetUrl: other.targetUrl }, settings)) ?? null
const left = await listOfWebhooks({}, settings)

report({ created, second, third, duplicate, list, updated, moved, clash, deleted, deletedAgain, left })
