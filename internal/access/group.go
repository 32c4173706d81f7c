package access

import (
	"context"
	"slices"
)

// Group is a named set of users with grants.
type Group struct {
	Name        string
	Description string
	Members     []string
	Grants      []Grant
}

// Groups are all groups by name.
func (s *Service) Groups() []Group {
	members := map[string][]string{}
	for _, item := range s.users.All() {
		for _, name := range item.Value.Groups {
			members[name] = append(members[name], item.Name)
		}
	}
	items := s.groups.All()
	out := make([]Group, len(items))
	for i, item := range items {
		out[i] = Group{
			Name: item.Name, Description: item.Value.Description,
			Members: members[item.Name], Grants: slices.Clone(item.Value.Grants),
		}
	}
	return out
}

// PutGroup makes a group, or replaces the description and the members of one;
// its grants stay. Errors: ErrInvalid.
func (s *Service) PutGroup(ctx context.Context, by Identity, name, description string, members []string) (Group, uint64, error) {
	if err := checkName("name", "group", name); err != nil {
		return Group{}, 0, err
	}
	if Role(name).known() {
		return Group{}, 0, invalid("name", "%s is a role: a group of that name would be taken for it", name)
	}
	if err := checkText("description", description, MaxDescription); err != nil {
		return Group{}, 0, err
	}
	if len(members) > MaxMembers {
		return Group{}, 0, invalid("members", "%d members are more than %d", len(members), MaxMembers)
	}
	members = slices.Clone(members)
	slices.Sort(members)
	members = slices.Compact(members)
	var g group
	position, err := s.change(ctx, func(d *draft) error {
		for _, member := range members {
			if _, there := d.user(member); !there {
				return invalid("members", "there is no user %s", shown(member))
			}
		}
		var there bool
		if g, there = d.group(name); !there || g.Description != description {
			g.Description = description
			d.putGroup(name, g)
			d.tx.Record(by.Done(Act{
				Action: "group.put", Object: "group/" + name, Detail: map[string]any{"description": description},
			}))
		}
		d.join(by, name, members)
		return nil
	})
	return Group{Name: name, Description: description, Members: members, Grants: slices.Clone(g.Grants)}, position, err
}

// join makes the users, in order, and nobody else members of a group. Each that
// comes or goes is recorded with the user as the object.
func (d *draft) join(by Identity, name string, members []string) {
	for _, item := range d.s.users.All() {
		a := item.Value
		at, is := slices.BinarySearch(a.Groups, name)
		_, shall := slices.BinarySearch(members, item.Name)
		action := "group.join"
		switch {
		case is == shall:
			continue
		case shall:
			a.Groups = slices.Insert(slices.Clone(a.Groups), at, name)
		default:
			a.Groups = slices.Delete(slices.Clone(a.Groups), at, at+1)
			action = "group.leave"
		}
		d.put(item.Name, a)
		d.tx.Record(by.Done(Act{Action: action, Object: "user/" + item.Name, Detail: map[string]any{"group": name}}))
	}
}

// DeleteGroup deletes a group: its members lose its grants. Errors: ErrNotFound,
// ErrConflict for the last admin.
func (s *Service) DeleteGroup(ctx context.Context, by Identity, name string) (uint64, error) {
	return s.change(ctx, func(d *draft) error {
		if _, there := d.group(name); !there {
			return notFound("group", name)
		}
		d.groups[name] = nil
		d.join(by, name, nil)
		d.tx.Record(by.Done(Act{Action: "group.delete", Object: "group/" + name}))
		return nil
	})
}
