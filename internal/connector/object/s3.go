package object

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/value"
)

// Requests that fail for a reason that passes are sent again within a call.
const (
	maxAttempts  = 3
	defaultPause = 500 * time.Millisecond
)

// s3Store is the store of a connection of type s3.
type s3Store struct {
	client *s3.Client
	now    func() time.Time
}

var _ store = (*s3Store)(nil)

// endpointOf reads a connection's endpoint; nil if it has none.
func endpointOf(fields connector.Input) (*url.URL, error) {
	raw := strings.TrimSpace(fields.Text("endpoint"))
	if raw == "" {
		return nil, nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, &egress.URLError{Reason: "the endpoint cannot be read"} // the parser's message quotes it
	}
	if err := egress.CheckURL(u); err != nil {
		return nil, err
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, &egress.URLError{Reason: "the endpoint has no user, query or fragment"}
	}
	return u, nil
}

// credentials of a connection: none makes requests anonymous. The environment
// and the machine's own credentials are never used.
func credentials(c *connector.Connection, in connector.Input) (aws.CredentialsProvider, error) {
	id, secret, token := in.Text("access_key_id"), in.Text("secret_access_key"), in.Text("session_token")
	switch {
	case id == "" && secret == "" && token == "":
		return aws.AnonymousCredentials{}, nil
	case id == "" || secret == "":
		return nil, connector.Errorf(connector.InvalidConnection,
			"connection %s: give access_key_id and secret_access_key, or none of both for anonymous requests", c.Name)
	}
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: id, SecretAccessKey: secret, SessionToken: token}, nil
	}), nil
}

// newS3 returns the store of a connection. It shares open connections with
// others that the same rules made.
func (s *Stores) newS3(c *connector.Connection, now func() time.Time) (*s3Store, error) {
	in, err := c.Connect(S3Type())
	if err != nil {
		return nil, err
	}
	endpoint, err := endpointOf(in)
	if err != nil {
		return nil, connector.Errorf(connector.InvalidConnection, "connection %s: %v", c.Name, err)
	}
	login, err := credentials(c, in)
	if err != nil {
		return nil, err
	}
	client, err := s.clients.Client(c.Name, c.AllowHosts, in.Text("ca"))
	if err != nil {
		return nil, connector.Errorf(connector.InvalidConnection, "connection %s: %v", c.Name, err)
	}
	options := s3.Options{
		Region: in.Text("region"), Credentials: login, UsePathStyle: in.Bool("path_style"),
		// A redirect means another region: the signature would not fit there.
		HTTPClient: egress.WithoutRedirects(client),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.Backoff = maxAttempts, backoff(s.config.Pause)
		}),
		// Many stores that speak S3 know no checksums beside the signature.
		RequestChecksumCalculation:     aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation:     aws.ResponseChecksumValidationWhenRequired,
		DisableS3ExpressSessionAuth:    aws.Bool(true),
		DisableMultiRegionAccessPoints: true,
	}
	if endpoint != nil {
		options.BaseEndpoint = aws.String(endpoint.String())
		options.UsePathStyle = !in.Has("path_style") || in.Bool("path_style")
	}
	return &s3Store{client: s3.New(options), now: now}, nil
}

// backoff waits pause before the second attempt and twice as long before each
// later one.
func backoff(pause time.Duration) retry.BackoffDelayerFunc {
	if pause <= 0 {
		pause = defaultPause
	}
	return func(attempt int, _ error) (time.Duration, error) { return pause << max(0, attempt-1), nil }
}

func (s *s3Store) close() {}

func (s *s3Store) get(ctx context.Context, at place) (*content, error) {
	in := &s3.GetObjectInput{Bucket: &at.bucket, Key: &at.key}
	if at.version != "" {
		in.VersionId = &at.version
	}
	out, err := s.client.GetObject(ctx, in)
	if err != nil {
		return nil, s.fault(ctx, "get", at, err)
	}
	c := &content{
		body: out.Body, contentType: aws.ToString(out.ContentType), metadata: out.Metadata,
		entry: entry{
			key: at.key, size: -1, modified: aws.ToTime(out.LastModified),
			etag: aws.ToString(out.ETag), class: string(out.StorageClass),
		},
	}
	if out.ContentLength != nil {
		c.size = *out.ContentLength
	}
	return c, nil
}

func (s *s3Store) put(ctx context.Context, at place, body []byte, contentType string) (string, error) {
	out, err := s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &at.bucket, Key: &at.key, Body: bytes.NewReader(body), ContentType: &contentType, ContentLength: aws.Int64(int64(len(body))),
	})
	if err != nil {
		return "", s.fault(ctx, "put", at, err)
	}
	return aws.ToString(out.ETag), nil
}

func (s *s3Store) list(ctx context.Context, bucket, prefix string, yield func(entry) bool) error {
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return s.fault(ctx, "list", place{bucket: bucket, key: prefix}, err)
		}
		for i := range page.Contents {
			o := &page.Contents[i]
			e := entry{
				key: aws.ToString(o.Key), size: aws.ToInt64(o.Size), modified: aws.ToTime(o.LastModified),
				etag: aws.ToString(o.ETag), class: string(o.StorageClass),
			}
			if !yield(e) {
				return nil
			}
		}
	}
	return nil
}

func (s *s3Store) remove(ctx context.Context, at place) error {
	if _, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &at.bucket, Key: &at.key}); err != nil {
		return s.fault(ctx, "delete", at, err)
	}
	return nil
}

// fault turns an error of the client into the step's error.
func (s *s3Store) fault(ctx context.Context, verb string, at place, err error) *connector.Error {
	if ended := connector.FromContext(ctx); ended != nil {
		return ended
	}
	var denied *egress.DeniedError
	var sending *smithyhttp.RequestSendError
	var answer *smithyhttp.ResponseError
	var api smithy.APIError
	switch {
	case errors.As(err, &denied):
		return errorAt(egress.ErrorName, at, "%s", denied)
	case errors.As(err, &sending):
		return errorAt(NoConnect, at, "%s object %s: %v", verb, at, withoutURL(sending.Err))
	case errors.As(err, &api) && errors.As(err, &answer):
		return s.refusal(verb, at, answer, api)
	case errors.As(err, &answer):
		return errorAt(Broken, at, "%s object %s: status %d with an answer that cannot be read", verb, at, answer.HTTPStatusCode())
	}
	return errorAt(Failed, at, "%s object %s: %v", verb, at, innermost(err))
}

// refusal is the error for an answer that says no.
func (s *s3Store) refusal(verb string, at place, answer *smithyhttp.ResponseError, api smithy.APIError) *connector.Error {
	status := answer.HTTPStatusCode()
	name := Failed
	switch {
	case status == http.StatusNotFound:
		name = NotFound
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		name = Denied
	case status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
		name = Unavailable
	}
	said := api.ErrorCode()
	if message := api.ErrorMessage(); message != "" {
		said += ": " + message
	}
	e := errorAt(name, at, "%s object %s: status %d %s", verb, at, status, said)
	e.Details = e.Details.With("status", value.Int(int64(status))).With("code", value.String(api.ErrorCode()))
	if answer.Response != nil {
		e.RetryAfter = egress.RetryAfter(answer.Response.Header, s.now())
	}
	return e
}

// withoutURL drops the URL that net/http puts before an error.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// innermost drops what the client's layers say of themselves.
func innermost(err error) error {
	var operation *smithy.OperationError
	if errors.As(err, &operation) {
		return operation.Err
	}
	return err
}
