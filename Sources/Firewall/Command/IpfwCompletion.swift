/// What may come next on ipfw's command line, for shells to offer: from the tables that the parser reads.
package struct IpfwCompletion {
  /// What `recv`, `xmit` and `via` may name.
  let interfaces: [String]
  private var words: ArraySlice<String>

  /// - Parameter words: What was typed before, without the program's name.
  /// - Returns: Words in the order of their tables; the shell picks those that begin with what is being typed.
  package static func candidates(after words: [String], interfaces: [String] = []) -> [String] {
    var completion = IpfwCompletion(interfaces: interfaces, words: words[...])
    return completion.candidates()
  }

  private mutating func candidates() -> [String] {
    while let word = words.first, word.hasPrefix("-") { words.removeFirst() }
    guard let word = words.popFirst() else { return IpfwFlags.completions + Self.commands }
    switch Command.matching(word)?.command {
    case .add: return rule()
    case .delete: return words.isEmpty ? ["set"] : []
    case .set: return set()
    default: return []
    }
  }

  private static let commands = Command.words.filter { $0.command != .later }.map(\.word)

  private mutating func set() -> [String] {
    guard let word = words.popFirst() else { return Command.setCommands }
    if Self.isNumber(word) {
      guard words.isEmpty else { return [] }
      return Self.commands.filter(Command.ofSets.contains)
    }
    switch word {
    case "move": return words.isEmpty ? ["rule"] : words.last.map(Self.isNumber) == true ? ["to"] : []
    case "enable", "disable": return ["enable", "disable"]
    default: return []
    }
  }

  // MARK: A rule

  private mutating func rule() -> [String] {
    if words.first.map(Self.isNumber) == true { words.removeFirst() }
    var prefixes = Grammar.prefixes.entries.map(\.word)
    while let word = words.first, Grammar.prefixes.meaning(of: word) != nil {
      prefixes.removeAll { $0 == word }
      guard words.count > 1 else { return [] }
      words = words.dropFirst(2)
    }
    guard let word = words.popFirst() else { return prefixes + Self.words(Grammar.actions, but: .later) }
    switch Grammar.actions.meaning(of: word) {
    case .comment: return []
    case .action(let kind):
      if let arguments = kind.row.argument.candidates, words.popFirst() == nil { return arguments }
    case .later, nil: break
    }
    var modifiers = Self.words(Grammar.modifiers, but: .later)
    while let word = words.first, Grammar.modifiers.meaning(of: word) != nil {
      words.removeFirst()
      modifiers.removeAll { $0 == word }
      if words.isEmpty { modifiers += Grammar.logOptions.entries.map(\.word) }
      if let word = words.first, Grammar.logOptions.meaning(of: word) != nil {
        guard words.count > 1 else { return [] }
        words = words.dropFirst(2)
      }
    }
    return words.isEmpty ? modifiers + Self.bodyStarts : body()
  }

  private func body() -> [String] {
    guard !words.contains(where: { Grammar.options.meaning(of: $0) == .comment }) else { return [] }
    if let to = words.lastIndex(of: "to"), words.contains("from") {
      return to == words.endIndex - 1 ? Self.addresses : options(following: words[(to + 1)...])
    }
    if let from = words.firstIndex(of: "from") { return address(words[(from + 1)...]) }
    // not yet a `from`: an option, or protocols
    guard let first = words.first(where: { !Self.combining.contains($0) }) else {
      return Self.bodyStarts
    }
    guard Self.protocols.contains(first) || Self.isNumber(first) else { return options(following: words) }
    return Self.awaitsTerm(words) ? Self.protocols : ["from", "or", "}"]
  }

  private func address(_ words: ArraySlice<String>) -> [String] {
    Self.awaitsTerm(words) ? Self.addresses : ["to", "or", "}"]
  }

  private func options(following words: ArraySlice<String>) -> [String] {
    switch words.last.flatMap(Grammar.options.meaning) {
    case .option(let option): option.row.operand.candidates(self)
    case .not, .or, .open, .close, .comment, .later, nil: Self.options
    }
  }

  // MARK: Words

  /// Those that the shell would take for itself are left out: braces do as well.
  static let options = words(Grammar.options, but: .later).filter { !["(", ")", "|"].contains($0) }
  static let protocols = ["ip", "all", "ip4", "ip6"] + builtInProtocols.map(\.name) + ["not", "{"]
  private static let bodyStarts = protocols + options.filter { !protocols.contains($0) }
  private static let addresses = ["any", "me", "me6", "not", "{"]
  private static let combining: Set<String> = ["not", "or", "{", "("]

  /// Nothing yet, or a word that says that more is to come.
  private static func awaitsTerm(_ words: ArraySlice<String>) -> Bool {
    words.last.map(combining.contains) ?? true
  }

  private static func words<Meaning>(_ keywords: Keywords<Meaning>, but meaning: Meaning) -> [String] {
    keywords.entries.filter { $0.meaning != meaning }.map(\.word)
  }

  private static func isNumber(_ word: String) -> Bool { word.utf8.first.map(isDigit) == true }
}
