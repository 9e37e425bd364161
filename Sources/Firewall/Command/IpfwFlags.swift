/// The options of the command line (ipfw(8), SYNOPSIS).
package struct IpfwFlags: Equatable, Sendable {
  package enum Time: Equatable, Sendable { case none, text, number }

  /// -a
  package var showsCounters = false
  /// --atomic: a file counts whole or not at all.
  package var isAtomic = false
  /// -b
  package var isBrief = false
  /// -c
  package var isCompact = false
  /// -D
  package var showsOnlyDynamic = false
  /// -f: asks nothing, and what is missing is no failure.
  package var isForced = false
  /// -h, --help
  package var asksForHelp = false
  /// --version
  package var asksForVersion = false
  /// -n
  package var isTest = false
  /// -N
  package var showsServices = false
  /// -q
  package var isQuiet = false
  /// -S
  package var showsSets = false
  /// -t, -T
  package var time = Time.none

  package init() {}

  static let usage = RuleError(
    """
    usage: ipfw [options]
    do "ipfw -h" or "man ipfw" for details
    """, .usage)

  /// All of them, but for those that are taken for compatibility only.
  static let completions = [
    "-a", "-b", "-c", "-D", "-f", "-h", "-n", "-N", "-p", "-q", "-S", "-t", "-T", "--atomic", "--help",
    "--version",
  ]

  /// As words to parse anew.
  var words: [String] {
    let letters: [(isSet: Bool, letter: String)] = [
      (showsCounters, "-a"), (isAtomic, "--atomic"), (isBrief, "-b"), (isCompact, "-c"),
      (showsOnlyDynamic, "-D"),
      (isForced, "-f"), (asksForHelp, "-h"), (isTest, "-n"), (showsServices, "-N"), (isQuiet, "-q"),
      (showsSets, "-S"), (time == .text, "-t"), (time == .number, "-T"), (asksForVersion, "--version"),
    ]
    return letters.filter(\.isSet).map(\.letter)
  }

  /// Takes the options off the front, as getopt(3) does on BSD: up to the first word that is none.
  ///
  /// - Parameter precedeFile: Before a file there are fewer, and `-p`, with which options end: all words behind it are
  ///   the preprocessor's.
  /// - Returns: The preprocessor and its arguments.
  @discardableResult
  mutating func take(
    from words: inout ArraySlice<String>, precedeFile: Bool = false
  ) throws(RuleError) -> [String] {
    while let word = words.first, word.hasPrefix("-"), word != "-", word != IpfwInvocation.linesMark {
      words.removeFirst()
      switch word {
      case "--": return []
      case "--atomic": isAtomic = true
      case "--help": asksForHelp = true
      case "--version": asksForVersion = true
      default:
        var letters = word.dropFirst()
        while let letter = letters.popFirst() {
          if letter == "p" {
            guard precedeFile else {
              throw RuleError("An absolute pathname must be used with -p option.", .usage)
            }
            if !letters.isEmpty { words = [String(letters)] + words }
            guard !words.isEmpty else { throw RuleError("no filename argument", .usage) }
            defer { words = [] }
            return Array(words)
          }
          guard !precedeFile || "cfhNnqS".contains(letter) else {
            throw RuleError("bad arguments, for usage summary ``ipfw''", .usage)
          }
          if letter == "s" {  // sorts pipes; takes a column
            if letters.isEmpty { words = words.dropFirst() }
            break
          }
          try set(letter)
        }
      }
    }
    return []
  }

  private mutating func set(_ letter: Character) throws(RuleError) {
    switch letter {
    case "a": showsCounters = true
    case "b": isBrief = true
    case "c": isCompact = true
    // dynamic rules and table values: there are none yet; -e never meant anything
    case "d", "e", "i", "v": break
    case "D": showsOnlyDynamic = true
    case "f": isForced = true
    case "h": asksForHelp = true
    case "n": isTest = true
    case "N": showsServices = true
    case "q": isQuiet = true
    case "S": showsSets = true
    case "t": time = .text
    case "T": time = .number
    default: throw RuleError("illegal option -- \(letter)\nipfw: \(Self.usage.text)", .usage)
    }
  }

  package static let help = """
    usage: ipfw [-abcfnNqStT] COMMAND
           ipfw [-cfnNqS] [--atomic] [-p PREPROCESSOR [ARGUMENT…]] /ABSOLUTE/PATH
             a file of commands, one a line; with --atomic nothing of it, if a line is wrong

    add [N] [set S] [prob P] ACTION [log [logamount L]] BODY
      N: 1 to 65534; without it behind the last rule
      ACTION: allow | deny | count | divert PORT | tee PORT | skipto N
      BODY:   PROTO from ADDRESS [PORTS] to ADDRESS [PORTS] [OPTION…] [// comment]
      OPTION: in, out, recv IF, xmit IF, via IF, icmptypes LIST, proto P, src-ip A, dst-ip A,
              src-ip6 A, dst-ip6 A, src-port P, dst-port P, ip4, ip6, setup, established,
              tcpflags LIST, frag [LIST], diverted, diverted-loopback, diverted-output, not, { … or … }
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
}
