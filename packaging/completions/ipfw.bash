# bash completion for ipfw(8): the program itself knows its words.
_ipfw() {
  local word=${COMP_WORDS[COMP_CWORD]} candidate
  COMPREPLY=()
  if [[ $word == /* ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
    return
  fi
  while IFS= read -r candidate; do
    [[ $candidate == "$word"* ]] && COMPREPLY+=("$candidate")
  done < <("${COMP_WORDS[0]}" --complete "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)
}
complete -F _ipfw ipfw
