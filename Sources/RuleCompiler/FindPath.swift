import BPF

extension Assembler {
  /// Code to call: r1 the address of a ``PathEntry/Path``, r2 not 0 where an entry has to be found even if that replaces
  /// one in use, r3 how long the packet is. r0 = the entry's place, and its check in the byte above; 0 for none.
  mutating func findPath(_ label: Label, secret: UInt64, _ maps: borrowing HookMaps) {
    let (key, now, isForced, length, oldest, age, sequence) = (-4, -8, -12, -16, -20, -24, -28)
    place(label)
    move(.r6, .r1)
    store(.word, .r2, to: .r10, isForced)
    store(.word, .r3, to: .r10, length)
    // The secret keeps those who send packets from choosing what falls together.
    load64(.r7, secret)
    load64(.r8, 0x9e37_79b9_7f4a_7c15)
    for offset in stride(from: 0, to: PathEntry.pathSize, by: 8) {
      load(.doubleword, .r1, from: .r6, offset)
      calculate64(.xor, .r7, .r1)
      calculate64(.multiply, .r7, .r8)
      move(.r1, .r7)
      calculate64(.shiftRight, .r1, 29)
      calculate64(.xor, .r7, .r1)
    }
    calculate64(.shiftRight, .r7, 48)
    call(.ktimeGetCoarseNanoseconds)
    calculate64(.shiftRight, .r0, 30)
    store(.word, .r0, to: .r10, now)
    store(.word, .r7, to: .r10, oldest)
    store(.word, value: 0, to: .r10, age)

    let (found, none) = (makeLabel(), makeLabel())
    for way in 0..<PathEntry.ways {
      let (other, younger, known, used) = (makeLabel(), makeLabel(), makeLabel(), makeLabel())
      move32(.r8, .r7)
      if way > 0 { calculate(.xor, .r8, way) }
      store(.word, .r8, to: .r10, key)
      lookUp(maps.paths, key: key, of: .r10)
      jump64(if: .r0, .equal, 0, to: none)
      load(.word, .r9, from: .r0, PathEntry.sequence)
      jump(if: .r9, .anyBitSet, 1, to: younger)
      for offset in stride(from: 0, to: PathEntry.pathSize, by: 8) {
        load(.doubleword, .r1, from: .r6, offset)
        load(.doubleword, .r2, from: .r0, PathEntry.path + offset)
        jump64(if: .r1, .notEqual, .r2, to: other)
      }
      loadBarrier()
      load(.word, .r1, from: .r0, PathEntry.sequence)
      jump(if: .r1, .notEqual, .r9, to: younger)
      // Nothing is written that is so already: other CPUs have the entry in their caches.
      load(.word, .r1, from: .r10, now)
      load(.word, .r2, from: .r0, PathEntry.lastFound)
      jump(if: .r1, .equal, .r2, to: known)
      store(.word, .r1, to: .r0, PathEntry.lastFound)
      place(known)
      load(.word, .r1, from: .r10, length)
      load(.word, .r2, from: .r0, PathEntry.longest)
      jump(if: .r1, .lessOrEqual, .r2, to: found)
      store(.word, .r1, to: .r0, PathEntry.longest)
      jump(to: found)

      place(other)
      load(.word, .r1, from: .r10, now)
      load(.word, .r2, from: .r0, PathEntry.lastFound)
      calculate(.subtract, .r1, .r2)
      jump(if: .r9, .notEqual, 0, to: used)
      move32(.r1, .max)
      place(used)
      load(.word, .r2, from: .r10, age)
      jump(if: .r1, .lessOrEqual, .r2, to: younger)
      store(.word, .r1, to: .r10, age)
      store(.word, .r8, to: .r10, oldest)
      place(younger)
    }

    let replace = makeLabel()
    load(.word, .r1, from: .r10, age)
    jump(if: .r1, .greaterOrEqual, PathEntry.idleTime, to: replace)
    load(.word, .r1, from: .r10, isForced)
    jump(if: .r1, .equal, 0, to: none)
    place(replace)
    load(.word, .r8, from: .r10, oldest)
    store(.word, .r8, to: .r10, key)
    lookUp(maps.paths, key: key, of: .r10)
    jump64(if: .r0, .equal, 0, to: none)
    move(.r7, .r0)
    load(.word, .r0, from: .r7, PathEntry.sequence)
    jump(if: .r0, .anyBitSet, 1, to: none)
    store(.word, .r0, to: .r10, sequence)
    move32(.r9, .r0)
    calculate(.add, .r9, 1)
    compareExchange32(.r9, to: .r7, PathEntry.sequence)
    load(.word, .r1, from: .r10, sequence)
    jump(if: .r0, .notEqual, .r1, to: none)
    for offset in stride(from: 0, to: PathEntry.pathSize, by: 8) {
      load(.doubleword, .r1, from: .r6, offset)
      store(.doubleword, .r1, to: .r7, PathEntry.path + offset)
    }
    load(.word, .r1, from: .r10, now)
    store(.word, .r1, to: .r7, PathEntry.lastFound)
    load(.word, .r1, from: .r10, length)
    store(.word, .r1, to: .r7, PathEntry.longest)
    calculate(.add, .r9, 1)
    move32(.r1, .r9)
    exchange32(.r1, with: .r7, PathEntry.sequence)

    place(found)
    move32(.r0, .r9)
    pathCheck(.r0)
    calculate(.shiftLeft, .r0, 16)
    calculate(.or, .r0, .r8)
    exit()
    place(none)
    move(.r0, 0)
    exit()
  }

  /// The register's sequence becomes its check, which is never 0.
  mutating func pathCheck(_ register: Register) {
    calculate(.shiftRight, register, 1)
    calculate(.and, register, 0x7f)
    calculate(.or, register, 0x80)
  }

  /// What was read before is not newer than what is read behind. x86 keeps that order by itself; elsewhere an atomic
  /// operation does, as in the kernel's own smp_mb() by them.
  mutating func loadBarrier() {
    #if !arch(x86_64)
      store(.word, value: 0, to: .r10, -32)
      move32(.r1, 0)
      exchange32(.r1, with: .r10, -32)
    #endif
  }
}
