package native

// The codes of diagnostics, beside those of yamldoc, descriptor and expr.
const (
	codeEmpty           = "empty_file"
	codeNoKind          = "no_kind"
	codeUnknownKind     = "unknown_kind"
	codeDuplicateObject = "duplicate_object"
	codeUnknownObject   = "unknown_object" // a warning: it may be applied elsewhere
	codeWrongConnection = "wrong_connection"
	codeZone            = "unknown_timezone"
	codeCalendar        = "unknown_calendar"
	codeFiles           = "files"

	codeCron              = "invalid_cron"
	codeDuplicateSchedule = "duplicate_schedule"
	codeDeadline          = "invalid_deadline"

	codeTooManySteps     = "too_many_steps"
	codeProgramSize      = "program_too_large"
	codeDuplicateStep    = "duplicate_step"
	codeNeedsUnderSteps  = "needs_under_steps"
	codeGraphNoNeeds     = "graph_without_needs"
	codeUnknownStep      = "unknown_step"
	codeCycle            = "needs_cycle"
	codeDuplicateNeed    = "duplicate_need"
	codeJoin             = "invalid_join"
	codeMisplaced        = "misplaced_field" // it has no meaning on this form
	codeUnknownConnector = "unknown_connector"

	codeExpressionInRun = "expression_in_run"
	codeSecret          = "secret_not_allowed"
	codeStepOrder       = "step_not_before"
	codeUnknownName     = "unknown_name"
	codeReserved        = "reserved_name"
	codeType            = "expr_type"
	codeInput           = "invalid_input"
	codeUnreachable     = "never_used" // a warning
	codeReturnFinally   = "return_in_finally"
	codeHeldAround      = "limit_held_around" // a warning
)
