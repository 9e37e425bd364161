extension IpfwInvocation {
  /// For a reader at a terminal: the rule that was refused, and marks below the word that is wrong.
  ///
  /// ```
  /// ipfw: missing ``to''
  ///   add 100 allow tcp from any tp me
  ///                              ^^
  /// ```
  ///
  /// - Parameter errors: What has been printed; the last line is the one to explain.
  /// - Returns: Two lines, or nil where something else than a rule was wrong.
  package func pointer(to errors: String, names: Names = .system) -> String? {
    guard let message = errors.split(separator: "\n").last else { return nil }
    switch job {
    case .command(let words): return Self.pointer(words, message, names)
    case .lines(let lines):
      guard message.hasPrefix("Line "), let number = Int(message.dropFirst(5).prefix { $0 != ":" }),
        lines.indices.contains(number - 1), let call = try? IpfwRun.call(lines[number - 1]),
        case .command(let words) = call.job
      else { return nil }
      return Self.pointer(words, message, names)
    case .file: return nil
    }
  }

  private static func pointer(_ words: [String], _ message: Substring, _ names: Names) -> String? {
    guard let line = try? ParsedCommand(words), line.command == .add else { return nil }
    var parser = RuleParser(line.arguments, names: names)
    do throws(RuleError) {
      _ = try parser.rule()
      return nil
    } catch {
      guard message.hasSuffix(": \(error.text)") else { return nil }
    }
    return marked(words.map(RuleError.printable), words.count - line.arguments.count + parser.looking)
  }

  /// - Parameter wrong: The index of the wrong word; that after the last one: something is missing there.
  private static func marked(_ words: [String], _ wrong: Int) -> String {
    var before = words.prefix(wrong).map { $0 + " " }.joined()
    let after = words.dropFirst(wrong).joined(separator: " ")
    let width = min(max(wrong < words.count ? words[wrong].count : 0, 1), 40)
    // A long rule shows the part in question.
    let room = 70 - width
    if before.count > room { before = "… " + before.suffix(room) }
    let rest = 74 - before.count
    let shown = before + (after.count > rest ? after.prefix(rest) + " …" : after[...])
    let end = shown.hasSuffix(" ") ? shown.dropLast() : shown[...]
    return "  \(end)\n  \(String(repeating: " ", count: before.count))"
      + "\(String(repeating: "^", count: width))\n"
  }
}
