package main

import (
	"strings"

	"github.com/rivo/uniseg"
)

// A grid is a table whose columns are as wide as their widest cell, the last one
// as wide as it likes. Its rows are added first, then taken one by one.
type grid struct {
	indent  string
	columns []column
	rows    [][]string
}

// A column has a title and a side at which its cells begin.
type column struct {
	title string
	right bool
	width int
}

func left(title string) column  { return column{title: title} }
func right(title string) column { return column{title: title, right: true} }

func newGrid(indent string, columns ...column) *grid {
	g := &grid{indent: indent, columns: columns}
	for i := range columns {
		g.widen(i, columns[i].title)
	}
	return g
}

func (g *grid) widen(i int, cell string) {
	g.columns[i].width = max(g.columns[i].width, uniseg.StringWidth(cell))
}

// add adds a row, with a cell for each column.
func (g *grid) add(cells ...string) {
	for i, cell := range cells {
		g.widen(i, cell)
	}
	g.rows = append(g.rows, cells)
}

func (g *grid) filled() bool { return len(g.rows) > 0 }

// title is the line of the columns' titles.
func (g *grid) title() string {
	titles := make([]string, len(g.columns))
	for i, c := range g.columns {
		titles[i] = c.title
	}
	return g.line(titles)
}

// next takes a row away and returns its line.
func (g *grid) next() string {
	row := g.rows[0]
	g.rows = g.rows[1:]
	return g.line(row)
}

func (g *grid) line(cells []string) string {
	var b strings.Builder
	b.WriteString(g.indent)
	for i, cell := range cells {
		if i > 0 {
			b.WriteString("  ")
		}
		pad := strings.Repeat(" ", g.columns[i].width-uniseg.StringWidth(cell))
		if g.columns[i].right {
			cell, pad = pad, cell
		}
		b.WriteString(cell + pad)
	}
	return strings.TrimRight(b.String(), " ")
}

// fit cuts a line that is wider than width columns, with an ellipsis at its end.
// Width 0 is no limit.
func fit(line string, width int, ellipsis string) string {
	if width <= 0 || uniseg.StringWidth(line) <= width {
		return line
	}
	var b strings.Builder
	used, state := 0, -1
	for line != "" {
		var cluster string
		var wide int
		cluster, line, wide, state = uniseg.FirstGraphemeClusterInString(line, state)
		if used+wide > width-len([]rune(ellipsis)) {
			break
		}
		b.WriteString(cluster)
		used += wide
	}
	return b.String() + ellipsis
}
