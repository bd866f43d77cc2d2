// Objects on the heap, then a null pointer is followed.
package main

import "os"

type connection struct {
	id   int
	port uint16
	name string
	next *connection
}

var head *connection

//go:noinline
func follow(c *connection) int { return c.next.id }

func main() {
	for i := 0; i < 5; i++ {
		head = &connection{100000 + i, uint16(80 + i), "name", head}
	}
	last := head
	for last.next != nil {
		last = last.next
	}
	os.Exit(follow(last))
}
