package expr

import "fmt"

// TooLong is the problem of an expression of more than [MaxLength] bytes, nil
// for a shorter one.
func TooLong(src string) *Problem {
	if len(src) <= MaxLength {
		return nil
	}
	return &Problem{
		Code: CodeLimit, Message: fmt.Sprintf("the expression has %d bytes; at most %d are allowed", len(src), MaxLength),
		Offset: MaxLength, Length: 1,
	}
}

// InternalProblem is the problem of an expression whose reading panicked with
// r, which is a fault of Regie.
func InternalProblem(r any, src string) *Problem {
	return &Problem{
		Code: Internal, Message: fmt.Sprintf("internal error while reading the expression: %v", r),
		Hint: "please report it with the expression", Length: max(1, len(src)),
	}
}

// InternalError is the error of an evaluation that panicked with r, which is a
// fault of Regie.
func InternalError(r any) *Error {
	return &Error{Code: Internal, Message: fmt.Sprintf("internal error in the expression: %v", r), Offset: -1}
}

// Forbidden says by name why a root must not be used. The environment may be
// nil.
func (e *Env) Forbidden() map[string]string {
	why := map[string]string{}
	if e == nil {
		return why
	}
	for _, r := range e.Roots {
		if r.Why != "" {
			why[r.Name] = r.Why
		}
	}
	return why
}
