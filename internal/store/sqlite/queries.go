package sqlite

// query numbers a statement that connections prepare once.
type query int

const (
	qBegin query = iota
	qRead
	qCommit
	qRollback
	qLease
	qAcquire
	qRelease
	qRaise
	qRestore
	qRestored
	qSettle
	qInsertBatch
	qInsertEvent
	qInsertRunKey
	qRunKey
	qErased
	qLastEvent
	qUpsertRun
	qUpsertKey
	qPurgeKeys
	qKey
	qSetTimer
	qClearTimer
	qInsertProgram
	qEraseKey
	qErasePayloads
	qRemoved
	qRecordBatches
	qPruneEvents
	qPruneRun
	qPruneTimers
	qPrune
	qForget
	qInsertObject
	qUpdateObject
	qInsertEntry
	qLiveRuns
	qRun
	qObject
	qObjects
	qEntry
	qEvents
	qRecord
	qTimers
	qProgram
	qBatches
	qBatch
	qTree
	qAllEvents
	qAllRuns
	qAllKeys
	qAllTimers
	qAllPrograms
	qAllErased
	qAllPruned
	qAllObjects
	qAllEntries
	queryCount
)

const runColumns = `id, namespace, workflow, program, state, reason, business_date, accepted_at, started_at, ended_at,
	actor, trigger, held, attempts, due, batch,
	coalesce((SELECT first + count - 1 FROM events WHERE run = runs.id ORDER BY first DESC LIMIT 1), 0),
	coalesce((SELECT erased FROM run_keys WHERE run = runs.id), 0)`

const objectColumns = `kind, namespace, name, revision, data, salt, batch, (SELECT at FROM batches WHERE sequence = batch)`

const entryColumns = `batch, position, actor, via, action, namespace, object, outcome, reason, request, detail, salt, forgotten,
	(SELECT at FROM batches WHERE sequence = batch)`

// queryText returns the text of the statement.
//
//nolint:funlen // a table
func queryText(q query) string {
	return [queryCount]string{
		qBegin:    `BEGIN IMMEDIATE`,
		qRead:     `BEGIN`,
		qCommit:   `COMMIT`,
		qRollback: `ROLLBACK`,

		qLease:   `SELECT format, incarnation, coalesce((SELECT max(sequence) FROM batches), 0), key_check FROM lease`,
		qAcquire: `UPDATE lease SET incarnation = incarnation + 1, holder = ?`,
		qRelease: `UPDATE lease SET holder = '' WHERE incarnation = ?`,
		qSettle:  `UPDATE lease SET settled = settled + 1`,
		qRaise:   `UPDATE lease SET incarnation = max(incarnation, ?)`,

		qRestore:  `UPDATE lease SET incarnation = ?1, holder = '', restored_at = ?2, restored_batch = ?3, restored_incarnation = ?1`,
		qRestored: `SELECT restored_at, restored_batch, restored_incarnation FROM lease WHERE restored_at IS NOT NULL`,

		qInsertBatch:  `INSERT INTO batches (sequence, incarnation, at, tree, records, items, objects, entries) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		qInsertEvent:  `INSERT INTO events (run, first, count, batch, position, commitment, control, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		qInsertRunKey: `INSERT INTO run_keys (run, wrapped) VALUES (?, ?)`,
		qRunKey:       `SELECT wrapped FROM run_keys WHERE run = ?`,
		qErased:       `SELECT erased FROM run_keys WHERE run = ?`,
		qLastEvent:    `SELECT first + count FROM events WHERE run = ? ORDER BY first DESC LIMIT 1`,
		// What is fixed is not set: the indexes that it is in stand as they are.
		qUpsertRun: `INSERT INTO runs (id, namespace, workflow, program, state, reason, business_date, accepted_at, started_at, ended_at,
				actor, trigger, held, attempts, due, batch)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET program = excluded.program, state = excluded.state, reason = excluded.reason,
				accepted_at = excluded.accepted_at, started_at = excluded.started_at, ended_at = excluded.ended_at,
				actor = excluded.actor, trigger = excluded.trigger, held = excluded.held, attempts = excluded.attempts,
				due = excluded.due, batch = excluded.batch
			WHERE namespace = excluded.namespace AND workflow = excluded.workflow AND business_date = excluded.business_date AND
				(program, state, reason, accepted_at, started_at, ended_at, actor, trigger, held, attempts, due) IS NOT
				(excluded.program, excluded.state, excluded.reason, excluded.accepted_at, excluded.started_at, excluded.ended_at,
				excluded.actor, excluded.trigger, excluded.held, excluded.attempts, excluded.due)`,
		qUpsertKey: `INSERT INTO keys (namespace, key, run, body_hash, expires, salt, batch) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
			ON CONFLICT (namespace, key) DO UPDATE SET run = excluded.run, body_hash = excluded.body_hash,
				expires = excluded.expires, salt = excluded.salt, batch = excluded.batch WHERE expires <= ?8`,
		qPurgeKeys: `DELETE FROM keys WHERE (namespace, key) IN
			(SELECT namespace, key FROM keys WHERE expires <= ? ORDER BY expires LIMIT ?)`,
		qKey:           `SELECT run, body_hash, expires FROM keys WHERE namespace = ? AND key = ?`,
		qSetTimer:      `INSERT INTO timers (run, id, at, batch) VALUES (?, ?, ?, ?) ON CONFLICT (run, id) DO UPDATE SET at = excluded.at, batch = excluded.batch`,
		qClearTimer:    `DELETE FROM timers WHERE run = ? AND id = ?`,
		qInsertProgram: `INSERT INTO programs (hash, data, batch) VALUES (?, ?, ?) ON CONFLICT (hash) DO NOTHING`,
		qEraseKey:      `UPDATE run_keys SET wrapped = NULL, erased = ? WHERE run = ?`,
		qErasePayloads: `UPDATE events SET payload = NULL WHERE run = ?`,
		qRemoved:       `SELECT erased, pruned FROM run_keys WHERE run = ?`,
		qRecordBatches: `SELECT batch FROM events WHERE run = ? ORDER BY first`,
		qPruneEvents:   `DELETE FROM events WHERE run = ?`,
		qPruneRun:      `DELETE FROM runs WHERE id = ?`,
		qPruneTimers:   `DELETE FROM timers WHERE run = ?`,
		qPrune:         `UPDATE run_keys SET pruned = ?, batches = ? WHERE run = ?`,

		qLiveRuns: `SELECT ` + runColumns + ` FROM runs WHERE ended_at IS NULL ORDER BY id`,
		qRun:      `SELECT ` + runColumns + ` FROM runs WHERE id = ?`,

		qForget: `UPDATE entries SET actor = NULL, via = NULL, action = NULL, namespace = NULL, object = NULL, outcome = NULL,
				reason = NULL, request = NULL, detail = NULL, salt = NULL, forgotten = ?
			WHERE batch = ? AND position = ? AND forgotten IS NULL`,
		qInsertObject: `INSERT INTO objects (data, salt, batch, kind, namespace, name, revision) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		qUpdateObject: `UPDATE objects SET data = ?1, salt = ?2, batch = ?3, revision = ?7
			WHERE kind = ?4 AND namespace = ?5 AND name = ?6 AND revision = ?7 - 1`,
		qInsertEntry: `INSERT INTO entries (batch, position, actor, via, action, namespace, object, outcome, reason, request, detail, salt)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		qObject: `SELECT ` + objectColumns + ` FROM objects WHERE kind = ? AND namespace = ? AND name = ?`,
		qObjects: `SELECT ` + objectColumns + ` FROM objects INDEXED BY objects_live
			WHERE kind = ? AND (namespace, name) > (?, ?) AND data IS NOT NULL ORDER BY namespace, name LIMIT ?`,
		qEntry: `SELECT ` + entryColumns + ` FROM entries WHERE batch = ? AND position = ?`,

		qRecord:  `SELECT first, count, batch, position, commitment, control, payload FROM events WHERE run = ? AND first = ?`,
		qEvents:  `SELECT first, count, batch, position, commitment, control, payload FROM events WHERE run = ? AND first >= ? ORDER BY first`,
		qTimers:  `SELECT run, id, at FROM timers WHERE at <= ? ORDER BY at, run, id LIMIT ?`,
		qProgram: `SELECT data FROM programs WHERE hash = ?`,

		qBatches: `SELECT sequence, incarnation, at, tree, records, items, objects, entries FROM batches ORDER BY sequence`,
		qBatch:   `SELECT sequence, incarnation, at, tree, records, items, objects, entries FROM batches WHERE sequence = ?`,
		qTree:    `SELECT tree FROM batches WHERE sequence = ?`,

		qAllEvents:   `SELECT run, first, count, batch, position, commitment, control, payload FROM events ORDER BY run, first`,
		qAllRuns:     `SELECT ` + runColumns + ` FROM runs ORDER BY id`,
		qAllKeys:     `SELECT namespace, key, run, body_hash, expires, salt, batch FROM keys ORDER BY namespace, key`,
		qAllTimers:   `SELECT run, id, at, batch FROM timers ORDER BY run, id`,
		qAllPrograms: `SELECT hash, data, batch FROM programs ORDER BY hash`,
		qAllErased:   `SELECT run, erased FROM run_keys WHERE erased IS NOT NULL ORDER BY run`,
		qAllPruned:   `SELECT run, pruned, batches FROM run_keys WHERE pruned IS NOT NULL ORDER BY run`,
		qAllObjects:  `SELECT ` + objectColumns + ` FROM objects ORDER BY kind, namespace, name`,
		qAllEntries:  `SELECT ` + entryColumns + ` FROM entries ORDER BY batch, position`,
	}[q]
}
