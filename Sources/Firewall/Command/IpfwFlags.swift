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
}
