package import BPF

/// The program at the far end of a link that is a pair of devices: what arrives there has been shown to the sockets at
/// the near end, and goes no further.
package enum LinkEndHook {
  package static func compile() throws(AssemblerError) -> [Instruction] {
    var assembler = Assembler()
    assembler.answer(Answer.drop)
    return try assembler.finish()
  }
}
