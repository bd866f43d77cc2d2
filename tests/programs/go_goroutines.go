// Goroutines that wait in every common way; then one dies in the way that the first argument names.
package main

import (
	"fmt"
	"os"
	"sync"
	"time"
)

type connection struct {
	id   int
	next *connection
}

func (c *connection) follow() int {
	return c.next.id
}

// Dies at the first instruction behind the one that makes its frame.
//
//go:noinline
func (c *connection) first() int {
	id := c.id
	return other(id) + id
}

//go:noinline
func other(n int) int { return n }

func waitForMessages(messages chan int) {
	for m := range messages {
		fmt.Println(m)
	}
}

func serve(values []int, index int) int {
	return values[index]
}

func main() {
	var mutex sync.Mutex
	mutex.Lock()
	go func() { time.Sleep(time.Hour) }()
	go waitForMessages(make(chan int))
	go func() { mutex.Lock() }()
	go func() { select {} }()
	go func() {
		for {
		}
	}()
	time.Sleep(300 * time.Millisecond)
	switch os.Args[1] {
	case "index":
		fmt.Println(serve([]int{1, 2, 3}, len(os.Args)+4))
	case "nil":
		fmt.Println((&connection{}).follow())
	case "first":
		var none *connection
		fmt.Println(none.first())
	case "error":
		panic(fmt.Errorf("custom %d", 42))
	case "number":
		panic(17)
	case "struct":
		panic(connection{1, nil})
	case "map":
		m := map[int]int{}
		go func() {
			for {
				m[1] = 2
			}
		}()
		for {
			m[3] = 4
		}
	case "exit":
		os.Exit(3)
	}
}
