// The field that this kernel is built on. build.mjs answers this file with the line for the kernel
// it compiles (`int` here); every field exports the same names, so nothing above this folder knows
// which one it runs on.
export * from './int';
