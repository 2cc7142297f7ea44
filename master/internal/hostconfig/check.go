package hostconfig

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrRefused says that a host asks for something that this program would have
// to leave out, and that must not be left out.
var ErrRefused = errors.New("hostconfig: refused before dialling")

// A Finding is an option of a host that is not honoured as ssh would.
type Finding struct {
	Keyword string
	Value   string // as ssh printed it, shortened
	Policy  Policy
	Why     string
}

// String returns the finding as a sentence.
func (f Finding) String() string {
	if f.Value == "" {
		return fmt.Sprintf("%s: %s", f.Keyword, f.Why)
	}
	return fmt.Sprintf("%s %s: %s", f.Keyword, f.Value, f.Why)
}

// Findings returns every option of h that is ignored, warned about or refused,
// in the order of the table; what no table knows comes last, as Warned.
func (h *Host) Findings() []Finding { return h.findings(Keyword.native) }

// FindingsByStock is the same for a link that stock ssh makes.
func (h *Host) FindingsByStock() []Finding { return h.findings(Keyword.byStock) }

// native is the row for a link of our own making.
func (k Keyword) native() (Policy, string) { return k.Policy, k.Why }

// byStock is the row for a link that stock ssh makes.
func (k Keyword) byStock() (Policy, string) {
	switch {
	case k.ByStock:
		return Honoured, ""
	case k.NotByStock != "":
		return Warned, k.NotByStock
	}
	return k.native()
}

// findings judges each row as row says.
func (h *Host) findings(row func(Keyword) (Policy, string)) []Finding {
	var all []Finding
	known := make(map[string]bool, len(Keywords))
	for _, k := range Keywords {
		key := strings.ToLower(k.Name)
		known[key] = true
		if policy, why := row(k); policy >= Ignored && k.applies(h, key) {
			all = append(all, Finding{k.Name, h.shown(key), policy, why})
		}
	}
	for _, raw := range sortedKeys(h.Raw) {
		if key := canonical(raw); !known[key] && h.differs(key) {
			all = append(all, Finding{raw, h.printed(key), Warned, "is not known to this version and has no effect"})
		}
	}
	return all
}

// Check says what of h this program cannot do: warnings to be shown once, each
// naming its option, and an error (ErrRefused) that names everything which
// forbids to dial. h.Warnings are not among the warnings.
func (h *Host) Check() (warnings []string, err error) { return check(h.Findings()) }

// CheckByStock is the same for a link that stock ssh makes.
func (h *Host) CheckByStock() (warnings []string, err error) { return check(h.FindingsByStock()) }

func check(findings []Finding) (warnings []string, err error) {
	var refused []string
	for _, f := range findings {
		switch f.Policy {
		case Warned:
			warnings = append(warnings, f.String())
		case Refused:
			refused = append(refused, f.String())
		}
	}
	if refused != nil {
		err = fmt.Errorf("%w: %s", ErrRefused, strings.Join(refused, "; "))
	}
	return warnings, err
}

// applies says whether the row's policy matters to h.
func (k Keyword) applies(h *Host, key string) bool {
	if k.When != nil {
		return k.When(h)
	}
	return h.differs(key)
}

// values returns what ssh printed for a keyword under any of its names.
func values(raw map[string][]string, key string) []string {
	if v, ok := raw[key]; ok {
		return v
	}
	for old, now := range aliases {
		if v, ok := raw[old]; ok && now == key {
			return v
		}
	}
	return nil
}

// differs says whether the user's configuration gave a keyword another value
// than ssh's default. When the defaults are unknown, any value counts.
func (h *Host) differs(key string) bool {
	v := values(h.Raw, key)
	return v != nil && !slices.Equal(v, values(h.base, key))
}

// shown returns a keyword's value as the user wrote it: not as -M or ssh's own
// spelling has it.
func (h *Host) shown(key string) string {
	if key == "controlmaster" {
		return h.ControlMasterConfigured
	}
	return h.printed(key)
}

// printed returns a keyword's value for a message.
func (h *Host) printed(key string) string {
	const most = 60
	s := strings.Join(values(h.Raw, key), ", ")
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strings.Trim(printable(s), `"`)
}

// prefersNothing says whether PreferredAuthentications leaves no method that a
// link can use.
func (h *Host) prefersNothing() bool {
	return h.PreferredAuthentications != nil && !slices.ContainsFunc(h.PreferredAuthentications, func(m string) bool {
		return slices.Contains(Methods, m)
	})
}
