# Completion of portulan for bash, version 4 or newer.  Load it with: eval "$(portulan completion bash)"

_portulan() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local verb='' action='' word i
    local verbs='lookup who search list watch observe identify scan learn check diff why'
    verbs+=' suggest claim renew release claims run lint registry atlas completion'
    local forms='text json jsonl csv' reports='sarif junit github nagios prometheus markdown'
    COMPREPLY=()

    # bash splits --format=json into three words, "=" being one of them
    if [[ $cur == '=' ]]; then
        cur=''
    elif [[ $prev == '=' ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
            --format | --limit | --date | --history | --record | --keep | --every | --for | --from | --to | --host | --at | --udp | --policy | --output | --fail-on | --transport | --port | --assignee | --contact | --description | --reference | --code | --unauthorized | --notes | --answer | --count | --block | --project | --purpose | --expires | --scope | --ledger | --square | --width)
                [[ ${COMP_WORDS[i + 1]} == '=' ]] && ((i += 2)) || ((i += 1))
                ;;
            --)
                if [[ $verb == run ]]; then # a command, and what belongs to it
                    ((i + 1 == COMP_CWORD)) && COMPREPLY=($(compgen -c -- "$cur")) || compopt -o default 2>/dev/null
                    return
                fi
                ;;
            -*) ;;
            *) if [[ -z $verb ]]; then verb=$word; elif [[ -z $action ]]; then action=$word; fi ;;
        esac
    done

    case $prev in
        --format)
            [[ $verb == check ]] && forms+=" $reports"
            [[ $verb == lint ]] && forms+=' sarif github'
            COMPREPLY=($(compgen -W "$forms" -- "$cur"))
            return
            ;;
        --fail-on)
            COMPREPLY=($(compgen -W 'investigate look never' -- "$cur"))
            return
            ;;
        --output)
            [[ $verb == atlas ]] && compopt -o default 2>/dev/null && return
            [[ $verb == lint ]] && reports='sarif github'
            COMPREPLY=($(compgen -S = -W "$forms $reports" -- "$cur")) # then a file
            compopt -o nospace 2>/dev/null
            return
            ;;
        --transport)
            COMPREPLY=($(compgen -W 'tcp udp sctp dccp' -- "$cur"))
            return
            ;;
        --port)
            [[ $verb == registry ]] && COMPREPLY=($(compgen -W 'user system' -- "$cur"))
            return
            ;;
        --scope)
            COMPREPLY=($(compgen -W 'user machine team' -- "$cur"))
            return
            ;;
        --history | --record | --to | --policy | --ledger)
            compopt -o default 2>/dev/null
            return
            ;;
        --limit | --date | --keep | --every | --for | --from | --host | --at | --udp) return ;;
        --assignee | --contact | --description | --reference | --code | --unauthorized | --notes | --answer) return ;;
        --count | --block | --project | --purpose | --expires) return ;;
    esac

    if [[ $cur == -* ]]; then
        local options='--format --json --help'
        case $verb in
            '') options+=' --with-command-lines --all-owners --this-namespace --history --policy --version' ;;
            watch) options='--format --help --jsonl --record --keep --all --present --every --for' ;;
            list) options+=' --all --listening --with-command-lines --all-owners --this-namespace --policy' ;;
            who) options+=' --all --with-command-lines --all-owners --all-namespaces --history' ;;
            search) options+=' --limit' ;;
            lookup) ;;
            observe) options+=' --from --host --at --to' ;;
            identify) options+=' --udp --blind --consent --yes --history --transcript --i-am-allowed' ;;
            scan) options+=' --ports --exclude --connect --rate --resume --probe --consent --yes --i-am-allowed' ;;
            learn) options='--help --probe --from' ;;
            check) options+=' --policy --fail-on --output --probe --resolve --validate --from' ;;
            diff) options+=' --connections --from' ;;
            why) options+=' --policy --probe' ;;
            suggest) options+=' --count --block --portable --project --bare' ;;
            claim) options+=' --port --block --purpose --expires --scope --ledger' ;;
            renew) options+=' --port --expires --scope --ledger' ;;
            release) options+=' --port --held --scope --ledger' ;;
            claims) options+=' --scope --ledger' ;;
            run) options='--help --port --block --udp --public --no-fd --another --scope --ledger' ;;
            lint) options+=' --policy --fail-on --output --from' ;;
            registry)
                [[ $action == update ]] && options+=' --force --date'
                [[ $action == draft ]] && options+=' --transport --port --assignee --contact --description --reference'
                [[ $action == draft ]] && options+=' --code --unauthorized --notes --answer'
                ;;
            atlas) options='--help --public --host --svg --png --port --square --dark --width --output' ;;
            completion) options='--help' ;;
            *) options+=' --with-command-lines --all-owners --this-namespace --history --probe --policy' ;;
        esac
        COMPREPLY=($(compgen -W "$options" -- "$cur"))
        return
    fi

    case $verb in
        '')
            COMPREPLY=($(compgen -W "$verbs" -- "$cur"))
            # names from /etc/services once there is a letter to go by; the bare list would bury the verbs
            [[ -n $cur ]] && COMPREPLY+=($(compgen -A service -- "$cur"))
            ;;
        lookup | who | watch | why) COMPREPLY=($(compgen -A service -- "$cur")) ;;
        observe | check | lint) compopt -o default 2>/dev/null ;;
        diff)
            COMPREPLY=($(compgen -W 'here' -- "$cur"))
            compopt -o default 2>/dev/null
            ;;
        learn)
            COMPREPLY=($(compgen -W 'firewalld ufw' -- "$cur"))
            compopt -o default 2>/dev/null # files, where neither word fits
            ;;
        atlas) COMPREPLY=($(compgen -W 'serve chart' -- "$cur")) ;;
        registry)
            case $action in
                '') COMPREPLY=($(compgen -W 'info update diff draft' -- "$cur")) ;;
                update) compopt -o default 2>/dev/null ;;
                diff)
                    COMPREPLY=($(compgen -W 'current former' -- "$cur"))
                    compopt -o default 2>/dev/null # files, where neither word fits
                    ;;
            esac
            ;;
        completion) [[ -z $action ]] && COMPREPLY=($(compgen -W 'bash zsh fish' -- "$cur")) ;;
    esac
    return 0
}

complete -F _portulan portulan
