package object_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	keyID     = "AKIDEXAMPLE"
	secretKey = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	region    = "eu-west-1"
)

var written = time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)

// s3Server speaks as much of the protocol of S3 as the connectors need, by
// path. It checks each signature.
type s3Server struct {
	*httptest.Server
	anonymous bool // requests without a signature are allowed, and no others

	mu       sync.Mutex
	objects  map[string][]byte // by /bucket/key; a bucket is there if an object is
	types    map[string]string
	requests int
	pageSize int
	// next says what the next requests do instead of an answer, in order.
	next []http.HandlerFunc
}

func newS3Server(t *testing.T) *s3Server {
	t.Helper()
	s := &s3Server{objects: map[string][]byte{"/b/.exists": nil}, types: map[string]string{}, pageSize: 2}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// script makes the next requests go wrong.
func (s *s3Server) script(next ...http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = next
}

func (s *s3Server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

func (s *s3Server) object(at string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.objects[at])
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>told by the test</Message></Error>", code)
}

// answer is a handler that refuses.
func answer(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { refuse(w, status, code) }
}

func (s *s3Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		refuse(w, http.StatusBadRequest, "IncompleteBody")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if code := s.unsigned(r, body); code != "" {
		refuse(w, http.StatusForbidden, code)
		return
	}
	if len(s.next) > 0 {
		handler := s.next[0]
		s.next = s.next[1:]
		s.mu.Unlock()
		handler(w, r)
		s.mu.Lock()
		return
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if _, ok := s.objects["/"+bucket+"/.exists"]; !ok {
		refuse(w, http.StatusNotFound, "NoSuchBucket")
		return
	}
	switch {
	case r.Method == http.MethodGet && key == "":
		s.list(w, bucket, r.URL.Query())
	case r.Method == http.MethodGet:
		s.get(w, r)
	case r.Method == http.MethodPut:
		s.objects[r.URL.Path], s.types[r.URL.Path] = body, r.Header.Get("Content-Type")
		w.Header().Set("Etag", tag(body))
	case r.Method == http.MethodDelete:
		delete(s.objects, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	default:
		refuse(w, http.StatusMethodNotAllowed, "MethodNotAllowed")
	}
}

func tag(body []byte) string { return fmt.Sprintf("%q", fmt.Sprintf("%x", md5.Sum(body))) }

func (s *s3Server) get(w http.ResponseWriter, r *http.Request) {
	at := r.URL.Path
	if version := r.URL.Query().Get("versionId"); version != "" {
		at += "?" + version
	}
	body, ok := s.objects[at]
	if !ok {
		refuse(w, http.StatusNotFound, "NoSuchKey")
		return
	}
	w.Header().Set("Content-Type", s.types[at])
	w.Header().Set("Etag", tag(body))
	w.Header().Set("Last-Modified", written.Format(http.TimeFormat))
	w.Header().Set("X-Amz-Meta-Owner", "ann")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

// list answers ListObjectsV2 in pages.
func (s *s3Server) list(w http.ResponseWriter, bucket string, query url.Values) {
	type object struct {
		Key, ETag, StorageClass string
		Size                    int
		LastModified            time.Time
	}
	var result struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		Contents              []object
	}
	var keys []string
	for at := range s.objects {
		key, ok := strings.CutPrefix(at, "/"+bucket+"/")
		if ok && key != ".exists" && strings.HasPrefix(key, query.Get("prefix")) && key > query.Get("continuation-token") && !strings.Contains(key, "?") {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for i, key := range keys {
		if result.IsTruncated = i == s.pageSize; result.IsTruncated {
			result.NextContinuationToken = keys[i-1]
			break
		}
		body := s.objects["/"+bucket+"/"+key]
		result.Contents = append(result.Contents, object{Key: key, ETag: tag(body), StorageClass: "STANDARD", Size: len(body), LastModified: written})
	}
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(result)
}

// unsigned returns the code of what is wrong with the signature (AWS Signature
// Version 4, in the header Authorization), empty if nothing is.
func (s *s3Server) unsigned(r *http.Request, body []byte) string {
	header := r.Header.Get("Authorization")
	if s.anonymous {
		if header != "" {
			return "SignatureOnPublicBucket"
		}
		return ""
	}
	fields, ok := strings.CutPrefix(header, "AWS4-HMAC-SHA256 ")
	if !ok {
		return "AccessDenied"
	}
	parts := map[string]string{}
	for field := range strings.SplitSeq(fields, ",") {
		name, text, _ := strings.Cut(strings.TrimSpace(field), "=")
		parts[name] = text
	}
	at := r.Header.Get("X-Amz-Date")
	day, _, _ := strings.Cut(at, "T")
	scope := day + "/" + region + "/s3/aws4_request"
	if parts["Credential"] != keyID+"/"+scope {
		return "InvalidAccessKeyId"
	}
	sum := sha256.Sum256(body)
	if r.Header.Get("X-Amz-Content-Sha256") != hex.EncodeToString(sum[:]) {
		return "XAmzContentSHA256Mismatch"
	}
	var canonical strings.Builder
	fmt.Fprintf(&canonical, "%s\n%s\n%s\n", r.Method, r.URL.EscapedPath(), strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20"))
	for name := range strings.SplitSeq(parts["SignedHeaders"], ";") {
		text := r.Header.Get(name)
		switch name {
		case "host":
			text = r.Host
		case "content-length":
			text = strconv.FormatInt(r.ContentLength, 10)
		}
		fmt.Fprintf(&canonical, "%s:%s\n", name, strings.Join(strings.Fields(text), " "))
	}
	fmt.Fprintf(&canonical, "\n%s\n%x", parts["SignedHeaders"], sum)
	request := sha256.Sum256([]byte(canonical.String()))
	key := []byte("AWS4" + secretKey)
	for _, text := range []string{day, region, "s3", "aws4_request"} {
		key = sign(key, text)
	}
	want := sign(key, fmt.Sprintf("AWS4-HMAC-SHA256\n%s\n%s\n%x", at, scope, request))
	if got, err := hex.DecodeString(parts["Signature"]); err != nil || !bytes.Equal(got, want) {
		return "SignatureDoesNotMatch"
	}
	return ""
}

func sign(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = io.WriteString(h, text)
	return h.Sum(nil)
}
