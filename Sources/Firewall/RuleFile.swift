/// Files of rules: a line for each, as one would type it behind `ipfw`.
package enum RuleFile {
  /// Adds the rules of a file, all or none.
  ///
  /// A line is `add …`, also with `ipfw` before it; `delete …` and `flush` work as well. What follows `#` is a
  /// comment, empty lines are skipped, and nothing is asked.
  ///
  /// - Throws: The first error, its text beginning with the line: `Line 7: …`.
  package static func load(
    text: String, into ruleSet: RuleSet, names: Names = .system
  ) throws(RuleError) -> RuleSet {
    var run = IpfwRun(ruleSet: ruleSet, names: names)
    var nowhere = DetachedRules(ruleSet)
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
      .enumerated()
    {
      do throws(RuleError) {
        try run.load(line, &nowhere)
      } catch {
        throw RuleError("Line \(index + 1): \(error.text)", error.status)
      }
    }
    return run.ruleSet
  }
}

extension IpfwRun {
  fileprivate mutating func load(_ line: Substring, _ nowhere: inout DetachedRules) throws(RuleError) {
    var words = line.prefix { $0 != "#" }.split { $0.isWhitespace }
    if words.first == "ipfw" { words.removeFirst() }
    guard !words.isEmpty else { return }
    var call = try IpfwInvocation([words.joined(separator: " ")])
    guard case .command(let command) = call.job else { throw IpfwFlags.usage }
    let line = try ParsedCommand(command)
    switch line.command {
    case .list, .show, .zero, .resetlog: throw RuleError("`\(line.word)' is nothing to load", .usage)
    default: break
    }
    call.flags.isForced = true
    try perform(call, &nowhere)
  }
}
