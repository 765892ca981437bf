import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig(
  {
    ignores: [
      'vitest.config.ts',
      'dist/',
      'build/',
      'coverage/',
      'node_modules/',
      'bench/results/',
      'assembly/!(abi).ts',
      'assembly/*/',
    ],
  },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { project: ['./tsconfig.json', './tsconfig.dev.json'] } },
    rules: {
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // Classes with private static state read better than modules with mutable globals.
      '@typescript-eslint/no-extraneous-class': 'off',
      '@typescript-eslint/prefer-readonly': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      eqeqeq: 'error',
      // One WebAssembly room, one worker room: who says these names elsewhere has taken a wrong turn (DESIGN of the house).
      'no-restricted-globals': ['error', { name: 'WebAssembly', message: 'Only src/kernel names WebAssembly.' }],
    },
  },
  { files: ['src/kernel/**', 'test/**', 'bench/**'], rules: { 'no-restricted-globals': 'off' } },
  { files: ['test/**', 'bench/**'], rules: { '@typescript-eslint/no-non-null-assertion': 'off' } },
  {
    files: ['**/*.mjs'],
    languageOptions: {
      globals: { console: 'readonly', process: 'readonly', URL: 'readonly', WebAssembly: 'readonly' },
    },
  },
);
