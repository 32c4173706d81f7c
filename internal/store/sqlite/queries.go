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
	qLiveRuns
	qRun
	qRuns
	qRunsBefore
	qEvents
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
	queryCount
)

const runColumns = `id, namespace, workflow, program, state, reason, business_date, accepted_at, started_at, ended_at,
	coalesce((SELECT first + count - 1 FROM events WHERE run = runs.id ORDER BY first DESC LIMIT 1), 0), batch`

// queryText returns the text of the statement.
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

		qInsertBatch:  `INSERT INTO batches (sequence, incarnation, at, tree, records, items) VALUES (?, ?, ?, ?, ?, ?)`,
		qInsertEvent:  `INSERT INTO events (run, first, count, batch, position, commitment, control, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		qInsertRunKey: `INSERT INTO run_keys (run, wrapped) VALUES (?, ?)`,
		qRunKey:       `SELECT wrapped FROM run_keys WHERE run = ?`,
		qErased:       `SELECT erased FROM run_keys WHERE run = ?`,
		qLastEvent:    `SELECT first + count FROM events WHERE run = ? ORDER BY first DESC LIMIT 1`,
		qUpsertRun: `INSERT INTO runs (id, namespace, workflow, program, state, reason, business_date, accepted_at, started_at, ended_at, batch)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET namespace = excluded.namespace, workflow = excluded.workflow, program = excluded.program,
				state = excluded.state, reason = excluded.reason, business_date = excluded.business_date,
				accepted_at = excluded.accepted_at, started_at = excluded.started_at, ended_at = excluded.ended_at, batch = excluded.batch`,
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

		qLiveRuns: `SELECT ` + runColumns + ` FROM runs WHERE ended_at IS NULL ORDER BY id`,
		qRun:      `SELECT ` + runColumns + ` FROM runs WHERE id = ?`,
		qRuns:     `SELECT ` + runColumns + ` FROM runs ORDER BY id DESC LIMIT ?`,

		qRunsBefore: `SELECT ` + runColumns + ` FROM runs WHERE id < ? ORDER BY id DESC LIMIT ?`,

		qEvents:  `SELECT first, count, batch, position, commitment, control, payload FROM events WHERE run = ? AND first >= ? ORDER BY first`,
		qTimers:  `SELECT run, id, at FROM timers WHERE at <= ? ORDER BY at, run, id LIMIT ?`,
		qProgram: `SELECT data FROM programs WHERE hash = ?`,

		qBatches: `SELECT sequence, incarnation, at, tree, records, items FROM batches ORDER BY sequence`,
		qBatch:   `SELECT sequence, incarnation, at, tree, records, items FROM batches WHERE sequence = ?`,
		qTree:    `SELECT tree FROM batches WHERE sequence = ?`,

		qAllEvents:   `SELECT run, first, count, batch, position, commitment, control, payload FROM events ORDER BY run, first`,
		qAllRuns:     `SELECT ` + runColumns + ` FROM runs ORDER BY id`,
		qAllKeys:     `SELECT namespace, key, run, body_hash, expires, salt, batch FROM keys ORDER BY namespace, key`,
		qAllTimers:   `SELECT run, id, at, batch FROM timers ORDER BY run, id`,
		qAllPrograms: `SELECT hash, data, batch FROM programs ORDER BY hash`,
		qAllErased:   `SELECT run, erased FROM run_keys WHERE erased IS NOT NULL ORDER BY run`,
	}[q]
}
