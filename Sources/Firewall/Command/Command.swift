/// The first word of what is to be done.
enum Command: Hashable {
  case add, delete, flush, zero, resetlog, list, show, set, later

  /// In the order in which ipfw looks for them: an abbreviation means the first that it fits (main.c).
  static let words: [(word: String, command: Command)] = [
    ("nat", .later), ("pipe", .later), ("queue", .later), ("flowset", .later), ("sched", .later),
    ("set", .set), ("add", .add), ("table", .later), ("enable", .later), ("disable", .later),
    ("delete", .delete), ("nptv6", .later), ("nat64clat", .later), ("nat64lsn", .later),
    ("nat64stl", .later), ("flush", .flush), ("zero", .zero), ("resetlog", .resetlog), ("print", .list),
    ("list", .list), ("show", .show), ("internal", .later),
  ]

  /// Behind `set`.
  static let setCommands = ["show", "swap", "move", "disable", "enable"]

  /// May stand behind `set N`.
  static let ofSets: Set<String> = [
    "delete", "flush", "zero", "resetlog", "print", "list", "show", "table",
  ]

  /// The command that a word names or abbreviates, and its full word.
  static func matching(_ word: String, inSet: Bool = false) -> (command: Command, word: String)? {
    guard !word.isEmpty,
      let row = words.first(where: { row in
        row.word.hasPrefix(word) && (!inSet || ofSets.contains(row.word))
      })
    else { return nil }
    return (row.command, row.word)
  }
}

/// A command, what it is about, and its arguments: `[set N] COMMAND [ARGUMENT…]`.
struct ParsedCommand {
  let command: Command
  /// In full.
  let word: String
  /// Only the rules of this set.
  let set: UInt8?
  let arguments: [String]
  /// For abbreviated words.
  let warnings: [String]

  func concerns(_ entry: RuleSet.Entry) -> Bool { set == nil || entry.rule.set == set }

  init(_ words: [String]) throws(RuleError) {
    var words = words[...]
    var warnings: [String] = []
    var set: UInt8?
    if let word = words.first, let (command, fullWord) = Command.matching(word), command == .set,
      let number = words.dropFirst().first, number.utf8.first.map(isDigit) == true
    {
      guard let known = RuleSet.setNumber(number) else {
        throw RuleError("invalid set number \(number)", .badData)
      }
      if word != fullWord { warnings.append(RuleParser.abbreviation(word, fullWord)) }
      set = known
      words = words.dropFirst(2)
    }
    guard let word = words.popFirst() else { throw IpfwFlags.usage }
    guard let (command, fullWord) = Command.matching(word, inSet: set != nil) else {
      throw RuleError("bad command `\(word)'", .usage)
    }
    guard command != .later else { throw .later(fullWord) }
    if word != fullWord { warnings.append(RuleParser.abbreviation(word, fullWord)) }
    (self.command, self.word, self.set, self.arguments) = (command, fullWord, set, Array(words))
    self.warnings = warnings
  }
}
