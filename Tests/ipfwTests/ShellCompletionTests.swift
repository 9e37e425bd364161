import Namespaces
import Testing

/// The files for bash and zsh, in those shells.
struct ShellCompletionTests {
  static let rows: [(words: [String], offered: Set<String>)] = [
    (["add", "100", "de"], ["deny"]), (["re"], ["resetlog"]), (["add", "allow", "in", "via", "l"], ["lo"]),
    (["add", "allow", "tcp", "from", "a"], ["any"]), (["set", "3", "f"], ["flush"]),
    (["add", "allow", "xyz"], []),
    (["/etc/passw"], ["/etc/passwd"]), (["add", "allow", "{", "tcp", "or", "udpl"], ["udplite"]),
  ]

  @Test(arguments: rows) func `bash offers what begins so`(row: (words: [String], offered: Set<String>))
    throws
  {
    let words = ([Programs.path("ipfw")] + row.words).map { "'\($0)'" }.joined(separator: " ")
    let result = try LeashedProcess([
      "bash", "-c",
      """
      source '\(packaging)/completions/ipfw.bash' && COMP_WORDS=(\(words)) && COMP_CWORD=\(row.words.count) && _ipfw
      ((${#COMPREPLY[@]})) && printf '%s\\n' "${COMPREPLY[@]}"
      complete -p ipfw >&2
      """,
    ]).result(within: .seconds(60))
    // a directory may have more files that begin so
    #expect(
      Set(result.output.split(separator: "\n").map(String.init).filter { !$0.hasSuffix("-") }) == row.offered)
    #expect(result.errors == "complete -F _ipfw ipfw\n")
  }

  /// compadd and _files work within zsh's line editor only, so they are stood in for.
  @Test(arguments: rows) func `zsh offers the same words to choose from`(
    row: (words: [String], offered: Set<String>)
  ) throws {
    let words = ([Programs.path("ipfw")] + row.words).map { "'\($0)'" }.joined(separator: " ")
    let result = try LeashedProcess([
      "zsh", "-f", "-c",
      """
      compadd() { print -rl -- ${(M)candidates:#${PREFIX}*} }
      _files() { print -rl -- ${PREFIX}* }
      _ipfw() { source '\(packaging)/completions/_ipfw' }
      words=(\(words)); CURRENT=$#words; PREFIX=$words[-1]; _ipfw
      """,
    ]).result(within: .seconds(60))
    #expect(
      Set(result.output.split(separator: "\n").map(String.init).filter { !$0.hasSuffix("-") }) == row.offered,
      "\(result.errors)")
  }

  private var packaging: String {
    #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
      + "/packaging"
  }
}
