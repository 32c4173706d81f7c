package native

// referenceIntro says what no single field says.
const referenceIntro = `# Reference of the native language

<!-- Generated from the descriptors of the language; change them and run: go generate ./... -->

What may stand in a definition, field by field. What the words mean together
stands in [language.md](language.md).

## How steps are joined

Under ` + "`steps`" + ` a step starts when the one before it has succeeded or was
skipped. Under ` + "`graph`" + ` a step starts when its ` + "`needs`" + ` satisfy its
` + "`join`" + `. Under ` + "`parallel`" + ` all start at once. A step whose join can no
longer hold does not run, and neither do the steps that wait for it.

A need ends as ` + "`succeeded`, `skipped`, `failed`, `canceled` or `not_run`" + `. A plain
need is satisfied by ` + "`succeeded` and `skipped`" + `.

## Paths

The path of a step is made of the IDs from the outermost group inwards:
` + "`group/step`" + `. A step of a list without ` + "`id`" + ` is called ` + "`step1`, `step2`" + `, …
by its place; only a step with an ` + "`id`" + ` can be read by others. The items of a
` + "`foreach`" + ` have their position: ` + "`settle[0]`, `settle[0]/load`" + `. A case of a
` + "`switch`" + ` adds no segment. Steps of ` + "`on_error`" + ` stand below the step:
` + "`load/on_error/step1`" + `; those of ` + "`finally`" + ` below the group, or at the top:
` + "`finally/step1`" + `. A group that is tried again says which attempt it is:
` + "`group~2/load`" + `.

## Names in expressions

| name | what it is | where |
|---|---|---|
| ` + "`inputs.NAME`" + ` | an input | everywhere but in defaults of inputs |
| ` + "`steps.ID.output`" + `, ` + "`.state`, `.reason`, `.error`" + ` | a step that has ended before: earlier in the list, needed directly or through others, or before a group around the place | everywhere |
| ` + "`needs.ID`" + ` | a step that is needed: as above, and ` + "`.succeeded`, `.skipped`, `.failed`, `.canceled`, `.not_run`, `.ended`" + ` | in the step with ` + "`needs`" + ` |
| ` + "`run.id`, `.workflow`, `.namespace`, `.business_date`, `.accepted_at`" + ` | the run | everywhere |
| ` + "`run.state`, `run.error`" + ` | how the run is about to end | in ` + "`finally`" + ` of the workflow |
| ` + "`group.state`, `group.error`" + ` | how the group is about to end | in ` + "`finally`" + ` of a group |
| ` + "`vars.NAME`" + ` | a variable of the namespace | everywhere |
| ` + "`secrets.NAME`" + ` | a secret | in ` + "`env`" + `, headers and connection fields, alone in its ` + "`${{ }}`" + ` |
| the name in ` + "`as`" + `, ` + "`index`" + ` | the item of a ` + "`foreach`" + ` and its position, from 0 | within the items |
| ` + "`turn`" + ` | number of the turn of a ` + "`repeat`" + `, from 1 | in what is repeated, and in ` + "`while`, `until` and `delay`" + ` |
| ` + "`previous`" + ` | output of the turn before, null in the first | in what is repeated, and in ` + "`while`" + ` |
| a variable | what ` + "`assign`" + ` has set | in steps after it |
| ` + "`error.name`, `.message`, `.details`" + ` | the error | in ` + "`on_error`" + ` and ` + "`retry`" + ` |
| ` + "`attempt`" + ` | number of the attempt that failed, from 1 | in ` + "`retry`" + ` |
| ` + "`result`" + ` | what the output would be | in ` + "`outputs`" + ` of a step that is no group |
| ` + "`result`" + ` | the output of a turn that has ended | in ` + "`until` and `delay`" + ` of ` + "`repeat`" + ` |

The output of a step that may have been skipped, not run, or failed with
` + "`continue_on_error`" + ` may be null: reading a member of it needs a guard, such as
` + "`steps.a.output != null && steps.a.output.total > 0`" + `.

## Which fields stand where with foreach and repeat

` + "`if`, `needs`, `join`, `on_error`, `continue_on_error` and `default`" + ` concern the
step as a whole. All others, such as ` + "`retry`, `timeout`, `env` and `outputs`" + `, concern
each item or turn and can read it.

`
