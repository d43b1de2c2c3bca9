# Completion of lopt-run for bash.
_lopt_run() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]}
  local verbs="train resume supervise evaluate sweep reproduce compare-estimators top report diff schema explain check sample preview plan list describe new-experiment new-plugin check-plugin replay-updates help"
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "$verbs --help --version" -- "$word"))
    return
  fi
  case $previous in
    --out | --data) COMPREPLY=($(compgen -d -- "$word")); return ;;
    --trace | --plugin-path) COMPREPLY=($(compgen -f -- "$word")); return ;;
  esac
  local options="--help"
  case $verb in
    evaluate) options+=" --out --threads --seed --data --plugin-path --quiet" ;;
    sweep) options+=" --trials --jobs --halving --by --out --threads --seed --data --plugin-path --quiet" ;;
    reproduce) options+=" --out --threads --plugin-path --quiet" ;;
    compare-estimators) options+=" --theta --budget --estimator --lengths --out --threads --seed --data --plugin-path --quiet" ;;
    top) options+=" --once" ;;
    supervise) options+=" --attempts --stall" ;;
    report) options+=" --out" ;;
    schema) options+=" --out --plugin-path" ;;
    new-experiment) options+=" --out --plugin-path" ;;
    train) options+=" --out --trace --hosts --threads --seed --data --plugin-path --quiet" ;;
    resume) options+=" --threads --force --hosts --trace --quiet" ;;
    explain) options+=" --threads" ;;
    check) options+=" --seed --data --plugin-path --print" ;;
    plan) options+=" --seed --data --plugin-path" ;;
    sample) options+=" --seed --data --plugin-path" ;;
    preview) options+=" --out --rate --seed --data --plugin-path" ;;
    list) options+=" --plugin-path --long" ;;
    describe) options+=" --plugin-path" ;;
    replay-updates) options+=" --tolerance --num-steps --plugin-path" ;;
    new-plugin) options+=" --python" ;;
    check-plugin) options+=" --plugin-path --time-limit" ;;
  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$word"))
    return
  fi
  case $verb in
    train | evaluate | sweep | compare-estimators | check | sample | preview | plan)
      # Behind the spec stand its key paths.
      local spec i
      for ((i = 2; i < COMP_CWORD; ++i)); do [[ ${COMP_WORDS[i]} == *.yaml ]] && spec=${COMP_WORDS[i]}; done
      if [ -n "$spec" ]; then
        compopt -o nospace 2>/dev/null
        COMPREPLY=($(compgen -S = -W "$("${COMP_WORDS[0]}" list keys "$spec" 2>/dev/null)" -- "$word"))
      else
        COMPREPLY=($(compgen -f -X '!*.yaml' -- "$word") $(compgen -d -- "$word"))
      fi
      ;;
    list) COMPREPLY=($(compgen -W "runs keys" -- "$word") $(compgen -f -X '!*.yaml' -- "$word") $(compgen -d -- "$word")) ;;
    resume | top | explain | report | diff | reproduce) COMPREPLY=($(compgen -d -- "$word")) ;;
    describe | new-experiment) COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" list 2>/dev/null | awk '/^  [a-z0-9_]+ /{print $1}')" -- "$word")) ;;
    new-plugin)
      [ "$COMP_CWORD" -eq 2 ] &&
        COMPREPLY=($(compgen -W "task task_family dataset optimizer schedule learned_optimizer estimator" -- "$word"))
      ;;
    check-plugin) COMPREPLY=($(compgen -f -X '!*.so' -- "$word") $(compgen -d -- "$word")) ;;
  esac
}
complete -o filenames -F _lopt_run lopt-run
