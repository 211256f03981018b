# Completion of portulan for fish.  Load it with: portulan completion fish | source

set -l verbs lookup who search list watch observe identify scan learn check diff why \
    suggest claim renew release claims run lint registry atlas completion
set -l ours suggest claim renew release claims run lint
set -l first "not __fish_seen_subcommand_from $verbs"
set -l rows "not __fish_seen_subcommand_from check learn atlas completion run lint"
set -l owners "not __fish_seen_subcommand_from lookup search watch observe identify scan learn check diff why $ours registry atlas completion"
set -l recorded "not __fish_seen_subcommand_from lookup search list watch observe identify scan learn check diff why $ours registry atlas completion"

complete -c portulan -f
complete -c portulan -l help -d 'Show help'
complete -c portulan -n "$first" -l version -d 'Show the version'
complete -c portulan -n "$rows" -l format -x -a 'text json jsonl csv' -d 'Form of the output'
complete -c portulan -n "not __fish_seen_subcommand_from watch learn atlas completion run" -l json -d 'JSON, as --format json'
complete -c portulan -n "$owners" -l with-command-lines -d 'Show command lines, which may hold secrets'
complete -c portulan -n "$owners" -l all-owners -d 'Look for every owner of every socket'
complete -c portulan -n "__fish_seen_subcommand_from who" -l all-namespaces -d 'Look into every network namespace'
complete -c portulan -n "$owners; and not __fish_seen_subcommand_from who" -l this-namespace -d 'Look into this network namespace only'

complete -c portulan -n "$recorded" -l history -r -F -d 'Recording of who used a port before'
complete -c portulan -n "$owners; and not __fish_seen_subcommand_from who" -l policy -r -F -d 'The policy'
complete -c portulan -n "$recorded; and not __fish_seen_subcommand_from who" -l probe -d 'Ask what answers'

complete -c portulan -n "$first" -a lookup -d 'What the registry says of a port or name'
complete -c portulan -n "$first" -a who -d 'Who holds or talks to a port here'
complete -c portulan -n "$first" -a search -d 'Search names, descriptions, assignees and known uses'
complete -c portulan -n "$first" -a list -d 'What listens and dials here'
complete -c portulan -n "$first" -a watch -d 'What appears, vanishes and changes its holder'
complete -c portulan -n "$first" -a observe -d 'What somebody else has seen or a file declares'
complete -c portulan -n "$first" -a identify -d 'What protocol really answers, by asking'
complete -c portulan -n "$first" -a scan -d 'What is open on some hosts, by connecting'
complete -c portulan -n "$first" -a learn -d 'A policy from what this machine shows'
complete -c portulan -n "$first" -a check -d 'Whether what is here is what the policy says'
complete -c portulan -n "$first" -a diff -d 'What changed between two observations'
complete -c portulan -n "$first" -a why -d 'How the verdict on a port came about'
complete -c portulan -n "$first" -a suggest -d 'The best port for a service, and ten others'
complete -c portulan -n "$first" -a claim -d 'Have a port for oneself'
complete -c portulan -n "$first" -a renew -d 'Let a claim expire later'
complete -c portulan -n "$first" -a release -d 'Give back what was claimed'
complete -c portulan -n "$first" -a claims -d 'Who has which port'
complete -c portulan -n "$first" -a run -d 'Claim a port, listen, and run a command with it'
complete -c portulan -n "$first" -a lint -d 'What speaks against the ports of a repository'
complete -c portulan -n "$first" -a registry -d 'The registry in use: info, update, diff, draft'
complete -c portulan -n "$first" -a atlas -d 'A page for each port, and the chart of all'
complete -c portulan -n "$first" -a completion -d 'Print the completion of a shell'

complete -c portulan -n "__fish_seen_subcommand_from list who" -l all -d 'Also the connections of listeners'
complete -c portulan -n "__fish_seen_subcommand_from list" -l listening -d 'Only what holds a port'
complete -c portulan -n "__fish_seen_subcommand_from search" -l limit -x -d 'How many at most'

set -l watch "__fish_seen_subcommand_from watch"
complete -c portulan -n "$watch" -l jsonl -d 'A document an event'
complete -c portulan -n "$watch" -l record -r -F -d 'Keep a history in a file'
complete -c portulan -n "$watch" -l keep -x -d 'How many days to keep'
complete -c portulan -n "$watch" -l all -d 'Also the connections of listeners'
complete -c portulan -n "$watch" -l present -d 'Also what is there at the beginning'
complete -c portulan -n "$watch" -l every -x -d 'Seconds between looks'
complete -c portulan -n "$watch" -l for -x -d 'How many seconds to watch'

set -l observe "__fish_seen_subcommand_from observe"
complete -c portulan -n "$observe" -F
complete -c portulan -n "$observe" -l from -x -d 'Format of the file'
complete -c portulan -n "$observe" -l host -x -d 'Machine that it was seen on'
complete -c portulan -n "$observe" -l at -x -d 'When it was seen'
complete -c portulan -n "$observe" -l to -r -F -d 'Write it there'

set -l identify "__fish_seen_subcommand_from identify"
complete -c portulan -n "$identify" -l udp -x -d 'Ports to ask by UDP'
complete -c portulan -n "$identify" -l blind -d 'Use nothing that is known before'
complete -c portulan -n "$identify" -l consent -d 'Also ask what can disturb'
complete -c portulan -n "$identify" -l yes -d 'Ask without showing the plan'
complete -c portulan -n "$identify" -l history -r -d 'What answered earlier'
complete -c portulan -n "$identify" -l transcript -d 'Show what was said'
complete -c portulan -n "$identify" -l i-am-allowed -d 'Ask also hosts outside of private networks'

set -l scan "__fish_seen_subcommand_from scan"
complete -c portulan -n "$scan" -l ports -x -d 'Which ports, or all'
complete -c portulan -n "$scan" -l exclude -x -d 'Whom to leave out'
complete -c portulan -n "$scan" -l connect -d 'Scan this machine too'
complete -c portulan -n "$scan" -l rate -x -d 'At most so many connections a second'
complete -c portulan -n "$scan" -l resume -r -F -d 'Go on with an interrupted scan'
complete -c portulan -n "$scan" -l probe -d 'Ask what answers on the open ports'
complete -c portulan -n "$scan" -l consent -d 'Also ask what can disturb'
complete -c portulan -n "$scan" -l yes -d 'Also more than a million connections'
complete -c portulan -n "$scan" -l i-am-allowed -d 'Scan also hosts outside of private networks'

set -l forms text json jsonl csv sarif junit github nagios prometheus markdown
complete -c portulan -n "__fish_seen_subcommand_from learn check why" -l probe -d 'Ask what answers'
complete -c portulan -n "__fish_seen_subcommand_from check why" -l policy -r -F -d 'The policy'

set -l learn "__fish_seen_subcommand_from learn"
complete -c portulan -n "$learn" -F -a 'firewalld ufw' -d 'What the firewall lets in'
complete -c portulan -n "$learn" -l from -x -d 'Format of the file'

set -l check "__fish_seen_subcommand_from check"
complete -c portulan -n "$check" -F
complete -c portulan -n "$check" -l format -x -a "$forms" -d 'Form of the output'
complete -c portulan -n "$check" -l output -x -a "$forms=" -d 'Also write this form to a file'
complete -c portulan -n "$check" -l fail-on -x -a 'investigate look never' -d 'The least attention that fails'
complete -c portulan -n "$check" -l resolve -d 'Look up the names of peers'
complete -c portulan -n "$check" -l validate -d 'Check the policy alone'
complete -c portulan -n "$check" -l from -x -d 'Format of the file'

set -l drift "__fish_seen_subcommand_from diff; and not __fish_seen_subcommand_from registry"
complete -c portulan -n "$drift" -F -a here -d 'This machine, now'
complete -c portulan -n "$drift" -l connections -d 'Also who happened to dial'
complete -c portulan -n "$drift" -l from -x -d 'Format of the file'

set -l suggest "__fish_seen_subcommand_from suggest"
complete -c portulan -n "$suggest" -l count -x -d 'So many ports'
complete -c portulan -n "$suggest" -l portable -d 'On Linux, macOS and Windows'
complete -c portulan -n "$suggest" -l project -x -d 'What the project is called'
complete -c portulan -n "$suggest" -l bare -d 'The chosen numbers alone'

set -l ledger "__fish_seen_subcommand_from claim renew release claims run"
complete -c portulan -n "__fish_seen_subcommand_from suggest run" -l block -x -d 'So many consecutive numbers'
complete -c portulan -n "$ledger" -l scope -x -a 'user machine team' -d 'Among whom nobody else may have it'
complete -c portulan -n "$ledger" -l ledger -r -F -d 'Another ledger'
complete -c portulan -n "__fish_seen_subcommand_from claim renew release run" -l port -x -d 'Which number'
complete -c portulan -n "__fish_seen_subcommand_from claim" -l block -x -d 'So many from there'
complete -c portulan -n "__fish_seen_subcommand_from claim" -l purpose -x -d 'What it is for'
complete -c portulan -n "__fish_seen_subcommand_from claim renew" -l expires -x -d 'In so many s, m, h, d or w'
complete -c portulan -n "__fish_seen_subcommand_from release" -l held -d 'Also what a process holds that is gone'

set -l run "__fish_seen_subcommand_from run"
complete -c portulan -n "$run" -l udp -d 'UDP as well'
complete -c portulan -n "$run" -l public -d 'Listen on all addresses'
complete -c portulan -n "$run" -l no-fd -d 'Close the sockets before it begins'
complete -c portulan -n "$run" -l another -d 'Another number, where it is taken'
complete -c portulan -n "$run; and contains -- -- (commandline -opc)" -x -a "(__fish_complete_subcommand --fcs-skip=4)"

set -l lint "__fish_seen_subcommand_from lint"
complete -c portulan -n "$lint" -F
complete -c portulan -n "$lint" -l format -x -a 'text json jsonl csv sarif github' -d 'Form of the output'
complete -c portulan -n "$lint" -l output -x -a '{text,json,jsonl,csv,sarif,github}=' -d 'Also write this form to a file'
complete -c portulan -n "$lint" -l fail-on -x -a 'investigate look never' -d 'The least attention that fails'
complete -c portulan -n "$lint" -l policy -r -F -d 'The policy'
complete -c portulan -n "$lint" -l from -x -d 'Format of the file'

set -l actions info update diff draft
set -l action "__fish_seen_subcommand_from registry; and not __fish_seen_subcommand_from $actions"
complete -c portulan -n "$action" -a info -d 'The snapshot in use and its age'
complete -c portulan -n "$action" -a update -d 'Read a newer registry'
complete -c portulan -n "$action" -a diff -d 'What changed between two snapshots'
complete -c portulan -n "$action" -a draft -d 'An application to IANA for a name and a port'
set -l update "__fish_seen_subcommand_from registry; and __fish_seen_subcommand_from update"
complete -c portulan -n "$update" -F
complete -c portulan -n "$update" -l force -d 'Accept a registry that shrank'
complete -c portulan -n "$update" -l date -x -d 'Date of the snapshot'
set -l diff "__fish_seen_subcommand_from registry; and __fish_seen_subcommand_from diff"
complete -c portulan -n "$diff" -F -a 'current former' -d 'Snapshot'
set -l draft "__fish_seen_subcommand_from registry; and __fish_seen_subcommand_from draft"
complete -c portulan -n "$draft" -l transport -x -a 'tcp udp sctp dccp' -d 'What it uses today'
complete -c portulan -n "$draft" -l port -x -a 'user system' -d 'A number, or a range to choose from'
complete -c portulan -n "$draft" -l assignee -x -d 'To whom it is assigned'
complete -c portulan -n "$draft" -l contact -x -d 'Who answers questions'
complete -c portulan -n "$draft" -l description -x -d 'What it is'
complete -c portulan -n "$draft" -l reference -x -d 'What describes it'
complete -c portulan -n "$draft" -l code -x -d 'Service code, for DCCP'
complete -c portulan -n "$draft" -l unauthorized -x -d 'Who else uses the number'
complete -c portulan -n "$draft" -l notes -x -d 'What else concerns the assignment'
complete -c portulan -n "$draft" -l answer -x -d 'An answer to a question of the draft'

set -l atlas "__fish_seen_subcommand_from atlas"
complete -c portulan -n "$atlas" -a serve -d 'A page for each port, in a browser'
complete -c portulan -n "$atlas" -l public -d 'For everybody, without this machine'
complete -c portulan -n "$atlas" -l host -x -d 'Its name for everybody'
complete -c portulan -n "$atlas" -a chart -d 'All ports, as SVG or PNG'
complete -c portulan -n "$atlas" -l svg -d 'As SVG'
complete -c portulan -n "$atlas" -l png -d 'As PNG'
complete -c portulan -n "$atlas" -l port -x -d 'To serve on, or the 256 ports around one'
complete -c portulan -n "$atlas" -l square -x -d 'The 1,024 ports from one on'
complete -c portulan -n "$atlas" -l dark -d 'For a dark ground'
complete -c portulan -n "$atlas" -l width -x -d 'Width of a PNG'
complete -c portulan -n "$atlas" -l output -r -F -d 'Write to a file'

complete -c portulan -n "__fish_seen_subcommand_from completion" -a 'bash zsh fish'
