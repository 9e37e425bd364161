/// What `ipfw -h` prints; actions and options are those of the tables.
extension IpfwFlags {
  package static let help = """
    usage: ipfw [-abcfnNqStT] COMMAND
           ipfw [-cfnNqS] [--atomic] [-p PREPROCESSOR [ARGUMENT…]] /ABSOLUTE/PATH
             a file of commands, one a line; with --atomic nothing of it, if a line is wrong

    add [N] [set S] [prob P] ACTION [log [logamount L]] BODY
      N: 1 to 65534; without it behind the last rule
      ACTION: \(actions)
      BODY:   PROTO from ADDRESS [PORTS] to ADDRESS [PORTS] [OPTION…] [// comment]
      OPTION: \(options)
    delete N[-M] …               remove rules
    delete set S …               remove the rules of sets
    flush                        remove all rules but the default one and those of set 31
    list | print [N[-M] …]       show rules
    show [N[-M] …]               show rules and their counters
    zero [N …]                   clear counters
    resetlog [N …]               log from the beginning again
    set enable S … disable S …   skip the rules of sets, or no longer
    set move [rule] X to S, set swap S S, set show
    set S COMMAND                delete, flush, list, show, zero, resetlog within a set

    -a  counters in list         -b  action and comment only   -c  without "ip from any to any"
    -f  ask no questions         -n  check only                -N  services by name
    -q  say nothing              -S  set numbers, disabled rules               -t, -T  time of last match

    Example: ipfw add 100 divert 2000 icmp from any to any in icmptypes 8

    """

  private static var actions: String {
    ActionKind.table.map { row in
      ([row.words[0]] + [row.argument.placeholder?.short].compactMap(\.self)).joined(separator: " ")
    }.joined(separator: " | ")
  }

  private static var options: String {
    wrapped(
      RuleOption.table.map { row in
        guard let operand = row.operand.placeholder?.short else { return row.words[0] }
        return row.operand.isOptional ? "\(row.words[0]) [\(operand)]" : "\(row.words[0]) \(operand)"
      } + ["not", "{ … or … }"])
  }

  /// With commas between, in lines as long as the others, the later ones under the first.
  private static func wrapped(_ items: [String]) -> String {
    let indentation = 10
    var lines = [""]
    for item in items.dropLast().map({ $0 + "," }) + items.suffix(1) {
      if lines[lines.count - 1].count + item.count + indentation > 94 { lines.append("") }
      let last = lines.count - 1
      lines[last] += (lines[last].isEmpty ? "" : " ") + item
    }
    return lines.joined(separator: "\n" + String(repeating: " ", count: indentation))
  }
}
