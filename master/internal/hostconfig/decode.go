package hostconfig

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"sort"
	"strings"
	"time"
)

// decode fills h from h.Raw. Keywords without a field stay in Raw and are
// logged at debug. What an older release does not print yet gets the default
// of later ones.
func (h *Host) decode(log *slog.Logger) error {
	for key, defaults := range openSSHDefaults() {
		if values(h.Raw, key) != nil {
			continue
		}
		if err := h.decodeOne(key, defaults); err != nil {
			return err
		}
	}
	for _, key := range sortedKeys(h.Raw) {
		now := canonical(key)
		if now != key && h.Raw[now] != nil {
			continue // 8.4 prints a dead option beside the one that it stands for
		}
		if _, ok := hostFields[now]; !ok {
			log.LogAttrs(context.Background(), slog.LevelDebug, "ssh -G names a keyword that is not known here",
				slog.String("keyword", key), slog.Any("values", h.Raw[key]))
			continue
		}
		if err := h.decodeOne(now, h.Raw[key]); err != nil {
			return err
		}
	}
	h.LogLevel = levelName(h.LogLevel)
	return nil
}

// levelName returns a LogLevel by one of its names: ssh prints SILENT for QUIET.
func levelName(s string) string {
	switch s = strings.ToUpper(s); s {
	case "SILENT":
		return "QUIET"
	case "DEBUG1":
		return "DEBUG"
	}
	return s
}

// decodeOne sets one field.
func (h *Host) decodeOne(key string, values []string) error {
	f := hostFields[key]
	if len(values) == 0 {
		return nil
	}
	if len(values) > 1 && !f.repeats() {
		return fmt.Errorf("hostconfig: %s has %d values where one is expected", f.name, len(values))
	}
	if err := f.set(reflect.ValueOf(h).Elem().Field(f.index), values); err != nil {
		return fmt.Errorf("hostconfig: %s %s: %w", f.name, printable(values[0]), err)
	}
	return nil
}

// A setter reads its own notation.
type setter interface{ set(value string) error }

// set decodes values into v, which is the field that f describes.
func (f field) set(v reflect.Value, values []string) (err error) {
	value := values[0]
	switch p := v.Addr().Interface().(type) {
	case *string:
		*p, err = parseChoice(value, f.oneof)
	case *bool:
		*p, err = parseBool(value)
	case *int:
		*p, err = parseInt(value)
	case *uint32:
		*p, err = parseOctal(value)
	case *time.Duration:
		*p, err = parseDuration(value, f.unit)
	case *[]string:
		*p = parseList(values, f.list)
	case *[]Forward:
		*p, err = parseForwards(values, f.name)
	case *[]Jump:
		*p, err = parseJumps(value)
	case setter:
		err = p.set(value)
	default:
		panic("hostconfig: no decoder for " + v.Type().String())
	}
	return err
}

// sortedKeys returns the keys of m in order, so that the first error is always
// the same one.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
