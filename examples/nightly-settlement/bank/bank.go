package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"regexp"
	"strconv"
	"sync"
)

// payment is one payment of a batch.
type payment struct {
	ID       string `json:"id"`
	Creditor string `json:"creditor"`
	Amount   string `json:"amount"` // decimal with two places
}

// batch is what POST /batches takes.
type batch struct {
	Date     string    `json:"date"`
	Name     string    `json:"batch"`
	Currency string    `json:"currency"`
	Payments []payment `json:"payments"`
}

// receipt is what it answers.
type receipt struct {
	ID    string `json:"id"`
	Date  string `json:"date"`
	Batch string `json:"batch"`
	Count int    `json:"count"`
	Total string `json:"total"`
}

// bank is the state of the bank. Its methods are safe for concurrent use.
type bank struct {
	failures, retryAfter int    // calls of each batch that fail; seconds
	token                string // that callers must bring; "" for none

	mu       sync.Mutex
	calls    map[string]int     // of POST /batches, by date and batch
	byKey    map[string]receipt // by Idempotency-Key
	receipts []receipt          // in order of arrival
	messages []json.RawMessage
}

func newBank(failures, retryAfter int, token string) *bank {
	return &bank{
		failures: failures, retryAfter: retryAfter, token: token,
		calls: map[string]int{}, byKey: map[string]receipt{}, messages: []json.RawMessage{},
	}
}

func (b *bank) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /batches", b.take)
	mux.HandleFunc("GET /batches/{id}/advice", b.advice)
	mux.HandleFunc("GET /statement", b.statement)
	mux.HandleFunc("POST /messages", b.message)
	mux.HandleFunc("GET /messages", b.list)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b.token != "" && r.Header.Get("Authorization") != "Bearer "+b.token {
			refusef(w, http.StatusUnauthorized, "who is there?")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// take takes a batch, after some trouble.
func (b *bank) take(w http.ResponseWriter, r *http.Request) {
	var in batch
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&in); err != nil {
		refusef(w, http.StatusBadRequest, "the body cannot be read: %v", err)
		return
	}
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		refusef(w, http.StatusBadRequest, "a batch needs the header Idempotency-Key")
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if known, ok := b.byKey[key]; ok {
		answer(w, http.StatusOK, known)
		return
	}
	call := in.Date + "/" + in.Name
	if b.calls[call]++; b.calls[call] <= b.failures {
		w.Header().Set("Retry-After", strconv.Itoa(b.retryAfter))
		refusef(w, http.StatusServiceUnavailable, "busy, come back in %d s", b.retryAfter)
		return
	}
	cents, err := total(in.Payments)
	switch {
	case err != nil:
		refusef(w, http.StatusBadRequest, "%v", err)
		return
	case in.Name == "west":
		refusef(w, http.StatusUnprocessableEntity, "the account of batch west is closed")
		return
	}
	taken := receipt{
		ID: fmt.Sprintf("%s-%s-%d", in.Date, in.Name, len(b.receipts)+1), Date: in.Date, Batch: in.Name,
		Count: len(in.Payments), Total: decimal(cents),
	}
	b.byKey[key] = taken
	b.receipts = append(b.receipts, taken)
	answer(w, http.StatusCreated, taken)
}

// advice is not ready for every batch, as documents never are.
func (b *bank) advice(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, taken := range b.receipts {
		if taken.ID == r.PathValue("id") && taken.Batch != "south" {
			answer(w, http.StatusOK, map[string]string{"text": fmt.Sprintf("We took %d payments of EUR %s.", taken.Count, taken.Total)})
			return
		}
	}
	refusef(w, http.StatusNotFound, "there is no advice for %q yet", r.PathValue("id"))
}

// statement adds up what was taken on a date.
func (b *bank) statement(w http.ResponseWriter, r *http.Request) {
	date := r.FormValue("date")
	b.mu.Lock()
	defer b.mu.Unlock()
	taken, count, sum := []receipt{}, 0, new(big.Int)
	for _, one := range b.receipts {
		if one.Date != date {
			continue
		}
		cents, err := amount(one.Total)
		if err != nil {
			refusef(w, http.StatusInternalServerError, "%v", err)
			return
		}
		taken = append(taken, one)
		count += one.Count
		sum.Add(sum, cents)
	}
	answer(w, http.StatusOK, map[string]any{"date": date, "batches": taken, "count": count, "total": decimal(sum)})
}

// message keeps a message.
func (b *bank) message(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil || !json.Valid(text) {
		refusef(w, http.StatusBadRequest, "the body is no JSON")
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = append(b.messages, text)
	answer(w, http.StatusOK, map[string]int{"messages": len(b.messages)})
}

func (b *bank) list(w http.ResponseWriter, _ *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	answer(w, http.StatusOK, b.messages)
}

// total adds up payments, in cents. A payment may stand in a batch once.
func total(payments []payment) (*big.Int, error) {
	sum, seen := new(big.Int), map[string]bool{}
	for _, p := range payments {
		cents, err := amount(p.Amount)
		if err != nil {
			return nil, fmt.Errorf("payment %s: %w", p.ID, err)
		}
		if seen[p.ID] {
			return nil, fmt.Errorf("payment %s is in the batch twice", p.ID)
		}
		seen[p.ID] = true
		sum.Add(sum, cents)
	}
	return sum, nil
}

var amountForm = regexp.MustCompile(`^[0-9]{1,15}\.[0-9]{2}$`)

// amount reads an amount as cents.
func amount(text string) (*big.Int, error) {
	if !amountForm.MatchString(text) {
		return nil, fmt.Errorf("amount %q: want digits, a point and two digits", text)
	}
	cents, _ := new(big.Int).SetString(text[:len(text)-3]+text[len(text)-2:], 10)
	return cents, nil
}

// decimal writes cents as an amount.
func decimal(cents *big.Int) string {
	text := fmt.Sprintf("%03d", cents)
	return text[:len(text)-2] + "." + text[len(text)-2:]
}

func answer(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // whoever asked is gone, which is not the bank's trouble
}

func refusef(w http.ResponseWriter, status int, format string, args ...any) {
	answer(w, status, map[string]string{"error": fmt.Sprintf(format, args...)})
}
