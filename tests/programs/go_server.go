// A net/http server as people write it.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"sync/atomic"
	"syscall"
)

var counted int64

func main() {
	http.HandleFunc("/count", func(writer http.ResponseWriter, request *http.Request) {
		fmt.Fprintln(writer, atomic.AddInt64(&counted, 1))
	})
	http.HandleFunc("/", func(writer http.ResponseWriter, request *http.Request) {
		fmt.Fprintf(writer, "hello %s from Go\n", request.URL.Path)
	})
	http.HandleFunc("/goroutines", func(writer http.ResponseWriter, request *http.Request) {
		sums := make(chan int)
		for worker := 0; worker < 100; worker++ {
			go func(worker int) { runtime.Gosched(); sums <- worker }(worker)
		}
		total := 0
		for worker := 0; worker < 100; worker++ {
			total += <-sums
		}
		fmt.Fprintln(writer, total)
	})
	http.HandleFunc("/crash", func(writer http.ResponseWriter, request *http.Request) {
		go panic("asked to") // net/http recovers those of its own goroutines
	})
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() { <-stop; fmt.Println("stopping"); os.Exit(0) }()
	log.Fatal(http.ListenAndServe(":8000", nil))
}
