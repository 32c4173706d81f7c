package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/regie-dev/regie/worker"
)

// Picture and Thumbnail are what the task type takes and gives (task-type.yaml).
type (
	Picture struct {
		Picture string `json:"picture"`
		Width   int    `json:"width"`
	}
	Thumbnail struct {
		File   string `json:"file"`
		Width  int    `json:"width"`
		Height int    `json:"height"`
	}
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := work(ctx, worker.Config{Server: os.Getenv("REGIE_SERVER"), Token: os.Getenv("REGIE_TOKEN"), TaskConcurrency: 4})
	if err != nil {
		fmt.Fprintln(os.Stderr, "thumbnails:", err)
		os.Exit(1) //nolint:gocritic // nothing is left to do
	}
}

// work does work until ctx ends.
func work(ctx context.Context, cfg worker.Config) error {
	w, err := worker.New(cfg)
	if err != nil {
		return err
	}
	worker.Handle(w, "thumbnail", thumbnail)
	return w.Run(ctx)
}

// thumbnail makes one thumbnail, beside its picture. Done twice it gives the same.
func thumbnail(ctx context.Context, in Picture) (Thumbnail, error) {
	picture, err := read(in.Picture)
	if err != nil {
		return Thumbnail{}, err
	}
	small := shrink(picture, in.Width)
	if ctx.Err() != nil { // the run was canceled, or the time is over
		return Thumbnail{}, ctx.Err()
	}
	out := Thumbnail{
		File:  strings.TrimSuffix(in.Picture, filepath.Ext(in.Picture)) + ".small.png",
		Width: small.Bounds().Dx(), Height: small.Bounds().Dy(),
	}
	return out, write(out.File, small)
}

// read reads a picture. A file that is none, or not there, has an error with a
// name of its own: the workflow does not try again what cannot become better.
func read(path string) (image.Image, error) {
	file, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &worker.Error{Name: "NoPicture", Message: err.Error()}
	case err != nil:
		return nil, err
	}
	defer file.Close()
	picture, err := png.Decode(file)
	if err != nil {
		return nil, &worker.Error{Name: "NoPicture", Message: fmt.Sprintf("%s is no PNG: %v", path, err)}
	}
	return picture, nil
}

// shrink takes the nearest point of the picture for each one of the thumbnail.
func shrink(picture image.Image, width int) image.Image {
	from := picture.Bounds()
	width = min(width, from.Dx())
	height := max(from.Dy()*width/from.Dx(), 1)
	small := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			small.Set(x, y, picture.At(from.Min.X+x*from.Dx()/width, from.Min.Y+y*from.Dy()/height))
		}
	}
	return small
}

func write(path string, picture image.Image) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(png.Encode(file, picture), file.Close())
}
